"""mails: kinds, subjects, whom they go to

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Columns; the mails that are there were all about accounts."""
    op.add_column("mails", sa.Column("kind", sa.String(10), nullable=False, server_default="account"))
    op.alter_column("mails", "kind", server_default=None)
    op.add_column("mails", sa.Column("notification_type", sa.String(40)))
    op.add_column("mails", sa.Column("subject", sa.String(300)))
    op.add_column("mails", sa.Column("masked", sa.String(254)))
    op.add_column("mails", sa.Column("address_mac", sa.LargeBinary()))
    op.drop_index("ix_mails_user", "mails")
    op.create_index("ix_mails_user_created", "mails", ["user_id", sa.text("created_at DESC"), sa.text("id DESC")])
    op.create_index("ix_mails_created", "mails", [sa.text("created_at DESC"), sa.text("id DESC")])
    op.create_index("ix_mails_address", "mails", ["address_mac"], postgresql_where=sa.text("address_mac IS NOT NULL"))


def downgrade() -> None:
    """Back to before."""
    op.drop_index("ix_mails_address", "mails")
    op.drop_index("ix_mails_created", "mails")
    op.drop_index("ix_mails_user_created", "mails")
    op.create_index("ix_mails_user", "mails", ["user_id"], postgresql_where=sa.text("user_id IS NOT NULL"))
    for name in ("address_mac", "masked", "subject", "notification_type", "kind"):
        op.drop_column("mails", name)
