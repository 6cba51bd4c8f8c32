"""Connections as JSON."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from grove.core.schema import Incoming, Moment, Outgoing


class ConnectionCreate(Incoming):
    """Which provider to connect."""

    provider: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$", examples=["sandbox"])]


class ConnectionRead(Outgoing):
    """A link to a provider. `status_detail` says what to do."""

    id: UUID
    provider: str
    status: str
    status_detail: str
    last_synced_at: Moment | None
    next_sync_at: Moment | None
    reauth_by: Moment | None
    created_at: Moment


class ConnectionStarted(ConnectionRead):
    """A link to be: open `authorization_url` in the user's browser."""

    authorization_url: str


class ConnectionList(Outgoing):
    """All connections of a user."""

    items: list[ConnectionRead]
