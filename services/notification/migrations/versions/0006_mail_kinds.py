"""mails: kinds, subjects, whom they go to

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Columns; the mails that are there were all about accounts."""
    op.add_column("mails", sa.Column("kind", sa.String(10), nullable=False, server_default="account"))
    op.alter_column("mails", "kind", server_default=None)
    op.add_column("mails", sa.Column("notification_type", sa.String(40)))
    op.add_column("mails", sa.Column("subject", sa.String(300)))
    op.add_column("mails", sa.Column("masked", sa.String(254)))
    op.add_column("mails", sa.Column("address_mac", sa.LargeBinary()))
    op.add_column("mails", sa.Column("bounced_at", TIME))
    op.add_column("mails", sa.Column("resent_at", TIME))
    op.add_column("mails", sa.Column("leased_until", TIME))
    op.drop_index("ix_mails_due", "mails")
    op.create_index("ix_mails_due", "mails", ["kind", "due_at", "id"], postgresql_where=sa.text("status = 'queued'"))
    waiting = sa.text("status = 'queued' AND kind = 'notice'")
    op.create_index("ix_mails_waiting", "mails", ["user_id", "id"], postgresql_where=waiting)
    op.create_index("ix_mails_failed", "mails", ["created_at", "id"], postgresql_where=sa.text("status = 'failed'"))
    op.create_index("ix_mails_bounced", "mails", ["address_mac"], postgresql_where=sa.text("status = 'bounced'"))
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
    op.drop_index("ix_mails_bounced", "mails")
    op.drop_index("ix_mails_failed", "mails")
    op.drop_index("ix_mails_waiting", "mails")
    op.drop_index("ix_mails_due", "mails")
    op.create_index("ix_mails_due", "mails", ["due_at"], postgresql_where=sa.text("status = 'queued'"))
    later = ("leased_until", "resent_at", "bounced_at")
    for name in (*later, "address_mac", "masked", "subject", "notification_type", "kind"):
        op.drop_column("mails", name)
