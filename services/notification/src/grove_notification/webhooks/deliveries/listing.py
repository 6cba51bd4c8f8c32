"""The list of a webhook's deliveries."""

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, bindparam

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery
from grove_notification.models import WebhookDelivery
from grove_notification.webhooks.deliveries.repository import HAS_STATUS, OF_ONE_OF_MINE
from grove_notification.webhooks.deliveries.schemas import DeliveryStatus

ORDERS = Keyset({"created_at": Sortable(WebhookDelivery.created_at, parse_time)}, tie=WebhookDelivery.id)
FILTERS: dict[str, ColumnElement[bool]] = {
    "webhook_id": WebhookDelivery.webhook_id == bindparam("webhook_id"),
    "mine": OF_ONE_OF_MINE,
    **HAS_STATUS,
    "event_type": WebhookDelivery.event_type == bindparam("event_type"),
}


class DeliveryFilter(ListQuery):
    """What a list of deliveries can be asked for."""

    status: Annotated[DeliveryStatus | None, Field(description="Only these")] = None
    event_type: Annotated[
        str | None,
        Field(pattern=r"^[a-z0-9_.]{1,100}$", description="Only of this type, such as resource.task.created.v1"),
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """The names of FILTERS that apply, with their values."""
        asked: dict[str, Any] = {} if self.event_type is None else {"event_type": self.event_type}
        return asked if self.status is None else asked | {self.status: True}
