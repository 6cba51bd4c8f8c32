"""tags, shares, reminders, recurrence; the addresses of users

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """What people do with tasks together, and again."""
    op.add_column("tasks", sa.Column("recurrence", sa.String(500)))
    op.add_column("tasks", sa.Column("repeated_at", TIME))
    op.create_index("ix_tasks_deleted", "tasks", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL"))
    op.add_column("users", sa.Column("email", sa.String(254)))
    op.add_column("users", sa.Column("email_sequence", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_users_email", "users", ["email"])
    op.create_table(
        "tags",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("color", sa.String(7)),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.UniqueConstraint("user_id", "name", name="uq_tags_user_id_name"),
    )
    op.execute(
        """INSERT INTO tags (id, user_id, name, created_at, updated_at)
        SELECT uuidv7(), user_id, name, min(created_at), min(created_at)
        FROM tasks, unnest(tags) AS name GROUP BY user_id, name"""
    )
    op.create_table(
        "shares",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column(
            "task_id",
            sa.Uuid(),
            sa.ForeignKey("tasks.id", name="fk_shares_task_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("role", sa.String(6), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("role IN ('viewer', 'editor')", name="ck_shares_role"),
    )
    op.create_index("uq_shares_task_id_email", "shares", ["task_id", "email"], unique=True)
    op.create_index(
        "ix_shares_user",
        "shares",
        ["user_id", "task_id"],
        unique=True,
        postgresql_where=sa.text("user_id IS NOT NULL"),
    )
    op.create_index("ix_shares_waiting", "shares", ["email"], postgresql_where=sa.text("user_id IS NULL"))
    op.create_table(
        "reminders",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column(
            "task_id",
            sa.Uuid(),
            sa.ForeignKey("tasks.id", name="fk_reminders_task_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("at", TIME),
        sa.Column("minutes_before_due", sa.Integer()),
        sa.Column("fires_at", TIME),
        sa.Column("fired_at", TIME),
        sa.Column("fired", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("(at IS NULL) <> (minutes_before_due IS NULL)", name="ck_reminders_one_kind"),
    )
    op.create_index("ix_reminders_task", "reminders", ["task_id", "user_id"])
    op.create_index("ix_reminders_user", "reminders", ["user_id"])
    op.create_index(
        "ix_reminders_due",
        "reminders",
        ["fires_at"],
        postgresql_where=sa.text("fired_at IS NULL AND fires_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Back to before."""
    op.drop_table("reminders")
    op.drop_table("shares")
    op.drop_table("tags")
    op.drop_index("ix_users_email", "users")
    op.drop_column("users", "email_sequence")
    op.drop_column("users", "email")
    op.drop_index("ix_tasks_deleted", "tasks")
    op.drop_column("tasks", "repeated_at")
    op.drop_column("tasks", "recurrence")
