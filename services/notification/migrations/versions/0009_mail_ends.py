"""mails: when they are worthless, when they were given up, how often their story was told; digests are a kind

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
WAITING = "status = 'queued' AND kind IN ('notice', 'digest')"
WAITED = "status = 'queued' AND kind = 'notice'"


def upgrade() -> None:
    """Columns; what failed before did so when it was made, as far as anybody knows."""
    op.add_column("mails", sa.Column("expires_at", TIME))
    op.add_column("mails", sa.Column("failed_at", TIME))
    op.add_column("mails", sa.Column("sequence", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE mails SET sequence = attempts")
    op.execute("UPDATE mails SET failed_at = created_at WHERE status = 'failed'")
    op.execute("UPDATE mails SET kind = 'digest' WHERE template = 'digest'")
    op.drop_index("ix_mails_waiting", "mails")
    op.create_index("ix_mails_waiting", "mails", ["user_id", "id"], postgresql_where=sa.text(WAITING))


def downgrade() -> None:
    """Back to before."""
    op.drop_index("ix_mails_waiting", "mails")
    op.execute("UPDATE mails SET kind = 'notice' WHERE kind = 'digest'")
    op.create_index("ix_mails_waiting", "mails", ["user_id", "id"], postgresql_where=sa.text(WAITED))
    for name in ("sequence", "failed_at", "expires_at"):
        op.drop_column("mails", name)
