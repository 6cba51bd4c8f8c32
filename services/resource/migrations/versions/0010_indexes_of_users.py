"""no index on what all users' rows hold: words and tags of tasks, and data of moments without whose it is

Revision: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OWNED = """(data || CAST('{"":"' || CAST(user_id AS text) || '"}' AS jsonb))"""


def upgrade() -> None:
    """A value that many have was read in everybody's rows to find those of one user (docs/adr/0018)."""
    op.drop_index("ix_tasks_tags", "tasks")
    op.drop_index("ix_tasks_search", "tasks")
    op.drop_index("ix_moments_data", "moments")
    op.execute(f"CREATE INDEX ix_moments_data ON moments USING gin ({OWNED} jsonb_path_ops)")


def downgrade() -> None:
    """Back to before."""
    op.drop_index("ix_moments_data", "moments")
    op.execute("CREATE INDEX ix_moments_data ON moments USING gin (data jsonb_path_ops)")
    op.create_index("ix_tasks_search", "tasks", ["search"], postgresql_using="gin")
    op.create_index("ix_tasks_tags", "tasks", ["tags"], postgresql_using="gin")
