"""files of tasks

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
    """One table."""
    op.create_table(
        "attachments",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column(
            "task_id",
            sa.Uuid(),
            sa.ForeignKey("tasks.id", name="fk_attachments_task_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("file_key", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("content_type", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(11), nullable=False),
        sa.Column("scanned_at", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.UniqueConstraint("file_key", name="uq_attachments_file_key"),
        sa.CheckConstraint("state IN ('scanning', 'available', 'quarantined')", name="ck_attachments_state"),
    )
    op.create_index("ix_attachments_task", "attachments", ["task_id", "created_at", "id"])
    op.create_index("ix_attachments_user", "attachments", ["user_id"])
    op.create_index(
        "ix_attachments_scanning", "attachments", ["created_at"], postgresql_where=sa.text("state = 'scanning'")
    )


def downgrade() -> None:
    """The rows are gone; the next sweep removes the files."""
    op.drop_table("attachments")
