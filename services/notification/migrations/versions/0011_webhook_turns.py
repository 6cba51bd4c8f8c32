"""webhooks: when something is due for them, when they were tried; deliveries have the id that their receiver sees

Revision: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
DUE = sa.text("due_at IS NOT NULL AND status = 'active'")
PENDING = """
UPDATE webhooks w SET due_at = waiting.due_at FROM (
  SELECT webhook_id, min(next_attempt_at) AS due_at FROM webhook_deliveries WHERE status = 'pending' GROUP BY webhook_id
) waiting WHERE waiting.webhook_id = w.id
"""


def upgrade() -> None:
    """Columns and indexes. Deliveries that are there keep the event's id, which their receiver may have seen."""
    op.add_column("webhooks", sa.Column("due_at", TIME))
    op.add_column("webhooks", sa.Column("tried_at", TIME))
    op.execute(PENDING)
    op.create_index("ix_webhooks_due", "webhooks", ["due_at"], postgresql_where=DUE)
    op.add_column("webhook_deliveries", sa.Column("message_id", sa.Uuid()))
    op.execute("UPDATE webhook_deliveries SET message_id = event_id")
    op.alter_column("webhook_deliveries", "message_id", nullable=False)
    op.create_index("ix_webhook_deliveries_message", "webhook_deliveries", ["webhook_id", "message_id"])


def downgrade() -> None:
    """Back to before."""
    op.drop_index("ix_webhook_deliveries_message", "webhook_deliveries")
    op.drop_column("webhook_deliveries", "message_id")
    op.drop_index("ix_webhooks_due", "webhooks")
    op.drop_column("webhooks", "tried_at")
    op.drop_column("webhooks", "due_at")
