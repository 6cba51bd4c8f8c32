"""The list of all connections: what it shows, its filters and order."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, bindparam

from grove.postgres.json_rows import JsonRow
from grove.service.keyset import Keyset, Sortable, parse_time
from grove.service.listing import List
from grove.web.pagination import ListQuery
from grove_provider_sync.admin.schemas import AdminConnectionRead, ConnectionStatus
from grove_provider_sync.models import Connection

_JSON = JsonRow(
    Connection,
    AdminConnectionRead,
    {
        "id": Connection.id,
        "user_id": Connection.user_id,
        "provider": Connection.provider,
        "status": Connection.status,
        "status_detail": Connection.status_detail,
        "failures": Connection.failures,
        "linked_at": Connection.linked_at,
        "last_synced_at": Connection.last_synced_at,
        "next_sync_at": Connection.next_sync_at,
        "reauth_by": Connection.reauth_by,
        "created_at": Connection.created_at,
    },
)
_FILTERS: dict[str, ColumnElement[bool]] = {
    "provider": Connection.provider == bindparam("provider"),
    "status": Connection.status == bindparam("status"),
    "user_id": Connection.user_id == bindparam("user_id"),
}
CONNECTIONS = List(
    item=_JSON,
    filters=_FILTERS | {"kept": Connection.erasing.is_(False)},
    orders=Keyset({"created_at": Sortable(Connection.created_at, parse_time)}, tie=Connection.id),
)


class AdminConnectionQuery(ListQuery):
    """What operators can ask for."""

    provider: Annotated[str | None, Field(pattern=r"^[a-z0-9_-]{1,40}$", description="Only to this provider")] = None
    status: Annotated[ConnectionStatus | None, Field(description="Only these")] = None
    user_id: Annotated[UUID | None, Field(description="Only of this user")] = None

    @property
    def given(self) -> dict[str, Any]:
        """The names of filters that apply, with their values."""
        named = {name: getattr(self, name) for name in _FILTERS}
        return {"kept": True} | {name: value for name, value in named.items() if value is not None}
