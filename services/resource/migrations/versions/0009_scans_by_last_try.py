"""the scanner's queue by when each file was last tried

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WAITING = sa.text("state = 'scanning'")


def upgrade() -> None:
    """In the order of the claim."""
    op.drop_index("ix_attachments_scanning", "attachments")
    columns = [sa.text("scanned_at NULLS FIRST"), "created_at"]
    op.create_index("ix_attachments_scanning", "attachments", columns, postgresql_where=WAITING)


def downgrade() -> None:
    """Back to before."""
    op.drop_index("ix_attachments_scanning", "attachments")
    op.create_index("ix_attachments_scanning", "attachments", ["created_at"], postgresql_where=WAITING)
