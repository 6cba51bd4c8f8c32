"""each delivery tells of its tries

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column; those there are say nothing of tries that were made before."""
    op.add_column(
        "webhook_deliveries", sa.Column("tries", postgresql.JSONB(), nullable=False, server_default=sa.text("'[]'"))
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_column("webhook_deliveries", "tries")
