"""erased users: tombstones against late events

Revision: 0002
"""

from grove.postgres.messaging_tables import create_erased_users, drop_erased_users

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table."""
    create_erased_users()


def downgrade() -> None:
    """Back to before."""
    drop_erased_users()
