"""who may do what with a task, as it is at the moment of asking; tasks by due date, those without at the end

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """VOLATILE: each call looks anew, where a statement sees all but locked rows as they were when it began."""
    op.execute(
        """CREATE FUNCTION task_access(task uuid, acting uuid)
        RETURNS TABLE (role text, participants uuid[], timezone text, waiting text[])
        LANGUAGE sql VOLATILE ROWS 1 AS $$
            SELECT
                CASE WHEN t.user_id = acting THEN 'owner' ELSE (
                    SELECT s.role::text FROM shares s WHERE s.task_id = t.id AND s.user_id = acting
                ) END,
                ARRAY(
                    SELECT s.user_id FROM shares s WHERE s.task_id = t.id AND s.user_id IS NOT NULL ORDER BY s.user_id
                ),
                (SELECT u.timezone::text FROM users u WHERE u.id = t.user_id),
                ARRAY(SELECT s.email::text FROM shares s WHERE s.task_id = t.id AND s.user_id IS NULL)
            FROM tasks t WHERE t.id = task
        $$"""
    )
    op.drop_index("ix_tasks_user_due", "tasks")
    due = sa.text("COALESCE(due_at, '9999-12-31 00:00:00+00'::timestamp with time zone)")
    op.create_index("ix_tasks_user_due", "tasks", ["user_id", due, "id"])
    # Of two indexes that cost the same, here to find all tasks of a user, the planner takes the one made last: it
    # stays the one in the order in which tasks were made.
    op.drop_index("ix_tasks_user_created", "tasks")
    op.create_index("ix_tasks_user_created", "tasks", ["user_id", sa.text("created_at DESC"), sa.text("id DESC")])


def downgrade() -> None:
    """Back to before."""
    op.drop_index("ix_tasks_user_due", "tasks")
    op.create_index("ix_tasks_user_due", "tasks", ["user_id", "due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.execute("DROP FUNCTION task_access")
