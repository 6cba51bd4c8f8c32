"""The notification list: its filters and order."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from sqlalchemy import ColumnElement, bindparam

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery
from grove_notification.models import Notification
from grove_notification.preferences.types import TYPES, known

ORDERS = Keyset({"created_at": Sortable(Notification.created_at, parse_time)}, tie=Notification.id)


FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": Notification.user_id == bindparam("user_id"),
    "unread": Notification.read_at.is_(None),
    "type": Notification.type == bindparam("type"),
}


class NotificationFilter(ListQuery):
    """What the notification list can be asked for."""

    unread_only: Annotated[bool, Field(description="Only what is unread")] = False
    type: Annotated[
        str | None,
        AfterValidator(known),
        Field(description="Only this type, such as TASK_CREATED", json_schema_extra={"enum": list(TYPES)}),
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """The names of FILTERS that apply, with their values."""
        given: dict[str, Any] = {"unread": None} if self.unread_only else {}
        return given if self.type is None else given | {"type": self.type}
