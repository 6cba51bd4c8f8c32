"""Connections as JSON."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from grove.core.schema import Incoming, Moment, Outgoing


class ConnectionCreate(Incoming):
    """Which provider to connect."""

    provider: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$", examples=["sandbox"])]


class ConnectionRead(Outgoing):
    """A link to a provider.

    pending: you have not given access yet; active; error: the last run failed, and the next tries again; needs_reauth:
    only you can mend it, by giving access again; revoked: removed, where this installation keeps the history.
    """

    id: UUID
    provider: Annotated[str, Field(examples=["sandbox"])]
    status: Literal["pending", "active", "needs_reauth", "error", "revoked"]
    status_detail: Annotated[str, Field(description="A sentence that says what to do", examples=["Up to date."])]
    last_synced_at: Annotated[Moment | None, Field(description="When a run completed last")]
    next_sync_at: Annotated[Moment | None, Field(description="Null while nothing is scheduled")]
    reauth_by: Annotated[
        Moment | None, Field(description="When access ends unless you give it again, if that is known")
    ]
    created_at: Moment


class ConnectionStarted(ConnectionRead):
    """A link to be: open `authorization_url` in the user's browser."""

    authorization_url: Annotated[str, Field(examples=["https://bank.example.com/oauth/authorize?state=…"])]


class ConnectionList(Outgoing):
    """All connections of a user."""

    items: list[ConnectionRead]
