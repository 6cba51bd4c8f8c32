"""preferences and digests

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Three tables."""
    op.create_table(
        "notification_preferences",
        sa.Column("user_id", sa.Uuid(), primary_key=True),
        sa.Column("types", postgresql.JSONB(), nullable=False),
        sa.Column("quiet_start", sa.Time()),
        sa.Column("quiet_end", sa.Time()),
        sa.Column("digest", sa.String(10), nullable=False),
        sa.Column("digest_at", sa.Time(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_table(
        "digests",
        sa.Column("user_id", sa.Uuid(), primary_key=True),
        sa.Column("key", sa.String(40), primary_key=True),
        sa.Column("due_at", TIME, nullable=False),
    )
    op.create_index("ix_digests_due_at", "digests", ["due_at"])
    op.create_table(
        "digest_items",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(40), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("message", sa.String(1000), nullable=False),
        sa.Column("link", sa.String(300)),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id", "key"], ["digests.user_id", "digests.key"], ondelete="CASCADE"),
    )
    op.create_index("ix_digest_items_digest", "digest_items", ["user_id", "key", "id"])


def downgrade() -> None:
    """Back to before."""
    op.drop_table("digest_items")
    op.drop_table("digests")
    op.drop_table("notification_preferences")
