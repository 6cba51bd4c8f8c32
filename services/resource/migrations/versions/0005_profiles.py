"""profiles; names move to them from users

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Of users with one name, the first keeps it and the others get -2, -3, …"""
    op.create_table(
        "profiles",
        sa.Column("user_id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("name_key", sa.String(300), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("bio", sa.String(500), nullable=False, server_default=""),
        sa.Column("photo_key", sa.Uuid()),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.UniqueConstraint("name_key", name="uq_profiles_name_key"),
        sa.UniqueConstraint("photo_key", name="uq_profiles_photo_key"),
    )
    op.execute(
        """INSERT INTO profiles (user_id, name, name_key, provisional, created_at, updated_at)
        SELECT id, numbered, lower(numbered), false, updated_at, updated_at
        FROM (SELECT id, updated_at, left(name, 95) || CASE n WHEN 1 THEN '' ELSE '-' || n END AS numbered
              FROM (SELECT *, row_number() OVER (PARTITION BY lower(name) ORDER BY id) AS n
                    FROM users WHERE name IS NOT NULL) AS counted) AS named
        ON CONFLICT DO NOTHING"""
    )
    op.drop_column("users", "name")


def downgrade() -> None:
    """Names go back to users."""
    op.add_column("users", sa.Column("name", sa.String(100)))
    op.execute("UPDATE users SET name = profiles.name FROM profiles WHERE profiles.user_id = users.id")
    op.drop_table("profiles")
