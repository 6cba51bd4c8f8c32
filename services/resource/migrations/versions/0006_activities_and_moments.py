"""activities, the versions of their schemas, moments

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """What people do, as they defined it."""
    op.create_table(
        "activities",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("description", sa.String(1000), nullable=False, server_default=""),
        sa.Column("data_schema", postgresql.JSONB(), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index(
        "ix_activities_user_created", "activities", ["user_id", sa.text("created_at DESC"), sa.text("id DESC")]
    )
    op.create_table(
        "activity_versions",
        sa.Column(
            "activity_id",
            sa.Uuid(),
            sa.ForeignKey("activities.id", name="fk_activity_versions_activity_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("data_schema", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "moments",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "activity_id",
            sa.Uuid(),
            sa.ForeignKey("activities.id", name="fk_moments_activity_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed("jsonb_to_tsvector('simple', data, '[\"string\"]')", persisted=True),
            nullable=False,
        ),
    )
    op.create_index("ix_moments_user_occurred", "moments", ["user_id", sa.text("occurred_at DESC"), sa.text("id DESC")])
    op.create_index(
        "ix_moments_activity_occurred", "moments", ["activity_id", sa.text("occurred_at DESC"), sa.text("id DESC")]
    )
    op.create_index(
        "ix_moments_data", "moments", ["data"], postgresql_using="gin", postgresql_ops={"data": "jsonb_path_ops"}
    )
    op.create_index("ix_moments_search", "moments", ["search"], postgresql_using="gin")


def downgrade() -> None:
    """Back to before."""
    op.drop_table("moments")
    op.drop_table("activity_versions")
    op.drop_table("activities")
