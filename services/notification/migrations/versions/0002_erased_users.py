"""erased users: tombstones against late events, whose a mail is

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

from grove.postgres.messaging_tables import create_erased_users, drop_erased_users

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, one column."""
    create_erased_users()
    op.add_column("mails", sa.Column("user_id", sa.Uuid(), nullable=True))
    op.create_index("ix_mails_user", "mails", ["user_id"], postgresql_where=sa.text("user_id IS NOT NULL"))


def downgrade() -> None:
    """Back to before."""
    op.drop_index("ix_mails_user", "mails")
    op.drop_column("mails", "user_id")
    drop_erased_users()
