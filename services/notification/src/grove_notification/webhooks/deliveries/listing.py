"""The list of a webhook's deliveries."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, and_, bindparam, or_

from grove.core.schema import Moment
from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery
from grove_notification.models import WebhookDelivery
from grove_notification.webhooks.deliveries.payload import message_id
from grove_notification.webhooks.deliveries.repository import HAS_STATUS, OF_ONE_OF_MINE
from grove_notification.webhooks.deliveries.schemas import DeliveryStatus

ORDERS = Keyset({"created_at": Sortable(WebhookDelivery.created_at, parse_time)}, tie=WebhookDelivery.id)
FILTERS: dict[str, ColumnElement[bool]] = {
    "webhook_id": WebhookDelivery.webhook_id == bindparam("webhook_id"),
    "mine": OF_ONE_OF_MINE,
    **HAS_STATUS,
    "event_type": WebhookDelivery.event_type == bindparam("event_type"),
    "message_id": WebhookDelivery.message_id == bindparam("message_id"),
    # an index has the message's id, which follows from the event's, and was that once
    "event_id": and_(
        WebhookDelivery.event_id == bindparam("event_id"),
        or_(
            WebhookDelivery.message_id == bindparam("message_of_event"),
            WebhookDelivery.message_id == bindparam("event_id"),
        ),
    ),
    "date_from": WebhookDelivery.created_at >= bindparam("date_from"),
    "date_to": WebhookDelivery.created_at < bindparam("date_to"),
}


class DeliveryFilter(ListQuery):
    """What a list of deliveries can be asked for."""

    status: Annotated[DeliveryStatus | None, Field(description="Only these")] = None
    event_type: Annotated[
        str | None,
        Field(pattern=r"^[a-z0-9_.]{1,100}$", description="Only of this type, such as resource.task.created.v1"),
    ] = None

    message_id: Annotated[UUID | None, Field(description="Only this message: its `webhook-id`")] = None
    event_id: Annotated[UUID | None, Field(description="Only of this event")] = None
    date_from: Annotated[Moment | None, Field(description="Queued then or later")] = None
    date_to: Annotated[Moment | None, Field(description="Queued before")] = None

    @model_validator(mode="after")
    def _some_time(self) -> "DeliveryFilter":
        if self.date_from and self.date_to and self.date_from >= self.date_to:
            raise ValueError("date_from must be before date_to")
        return self

    def given(self, user_id: UUID) -> dict[str, Any]:
        """The names of FILTERS that apply, with their values."""
        names = ("event_type", "message_id", "event_id", "date_from", "date_to")
        asked = {name: value for name in names if (value := getattr(self, name)) is not None}
        if self.event_id is not None:
            asked["message_of_event"] = message_id(self.event_id, user_id)
        return asked if self.status is None else asked | {self.status: True}
