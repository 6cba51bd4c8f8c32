"""no index on the words of moments: a search read them of everybody's rows, and each write paid for it

Revision: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Search begins at the user's rows, by ix_moments_user_occurred."""
    op.drop_index("ix_moments_search", "moments")


def downgrade() -> None:
    """Back to before."""
    op.create_index("ix_moments_search", "moments", ["search"], postgresql_using="gin")
