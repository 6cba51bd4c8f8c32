"""users: blocked ones; their names, which nobody reads, are gone; unread and held notifications are walked by user

Revision: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UNREAD = sa.text("read_at IS NULL")


def upgrade() -> None:
    """Columns and indexes."""
    op.drop_column("users", "name")
    op.add_column("users", sa.Column("blocked", sa.Boolean(), nullable=False, server_default="false"))
    op.add_column("users", sa.Column("blocked_sequence", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_notifications_unread", "notifications", ["user_id", "id"], postgresql_where=UNREAD)
    op.drop_index("ix_notifications_user_unread", "notifications")
    held = sa.text("held_until IS NOT NULL")
    op.create_index("ix_notifications_held_user", "notifications", ["user_id", "id"], postgresql_where=held)


def downgrade() -> None:
    """Back to before; names come with auth's next events."""
    op.drop_index("ix_notifications_held_user", "notifications")
    op.create_index("ix_notifications_user_unread", "notifications", ["user_id"], postgresql_where=UNREAD)
    op.drop_index("ix_notifications_unread", "notifications")
    op.drop_column("users", "blocked_sequence")
    op.drop_column("users", "blocked")
    op.add_column("users", sa.Column("name", sa.String(100)))
