"""The list of webhooks."""

from sqlalchemy import ColumnElement, bindparam

from grove.service.keyset import Keyset, Sortable, parse_time
from grove_notification.models import Webhook
from grove_notification.webhooks.repository import IS_THERE

ORDERS = Keyset({"created_at": Sortable(Webhook.created_at, parse_time)}, tie=Webhook.id)
FILTERS: dict[str, ColumnElement[bool]] = {"user_id": Webhook.user_id == bindparam("user_id"), "there": IS_THERE}
