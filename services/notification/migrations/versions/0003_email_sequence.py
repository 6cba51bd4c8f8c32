"""users: which event told the address

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column; the addresses that are there came with the first event."""
    op.add_column("users", sa.Column("email_sequence", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Back to before."""
    op.drop_column("users", "email_sequence")
