"""live stream: frames, numbered by user; notifications held in quiet hours

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Two tables, one column."""
    op.create_table(
        "live_positions",
        sa.Column("user_id", sa.Uuid(), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        postgresql_with={"fillfactor": 70},  # each push changes the row: room to do so in place
    )
    op.create_table(
        "live_frames",
        sa.Column("user_id", sa.Uuid(), primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_index("ix_live_frames_created_at", "live_frames", ["created_at"])
    op.add_column("notifications", sa.Column("held_until", TIME))
    op.create_index(
        "ix_notifications_held", "notifications", ["held_until"], postgresql_where=sa.text("held_until IS NOT NULL")
    )
    op.create_index(
        "ix_notifications_read", "notifications", ["read_at"], postgresql_where=sa.text("read_at IS NOT NULL")
    )


def downgrade() -> None:
    """Back to before."""
    op.drop_index("ix_notifications_read", "notifications")
    op.drop_index("ix_notifications_held", "notifications")
    op.drop_column("notifications", "held_until")
    op.drop_table("live_frames")
    op.drop_table("live_positions")
