"""What operators see and send, as JSON."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from grove.core.schema import Incoming, Moment, Outgoing

ConnectionStatus = Literal["pending", "active", "needs_reauth", "error", "revoked"]


class AdminProviderRead(Outgoing):
    """A provider as operators see it.

    `connections` by status. `token_version`: tokens of an older one are dead. `paused_until`: it asked all callers for
    a pause; `runs_put_off`: those that wait for one, or for its budget. `revocations_waiting`: tokens that it has not
    yet been told to forget, since `oldest_revocation_at`.
    """

    key: str
    name: str
    offered: bool
    health: Literal["ok", "failing"]
    connections: dict[ConnectionStatus, int]
    token_version: int
    revoked_at: Moment | None
    revoked_by: UUID | None
    paused_until: Moment | None
    runs_put_off: int
    revocations_waiting: int
    oldest_revocation_at: Moment | None


class AdminProviderList(Outgoing):
    """Providers that are offered, and those that connections remain of."""

    items: list[AdminProviderRead]


class AdminConnectionRead(Outgoing):
    """A connection as operators see it: nothing of what its user has at the provider.

    `failures`: runs that failed in a row.
    """

    id: UUID
    user_id: UUID
    provider: str
    status: ConnectionStatus
    status_detail: str
    failures: int
    linked_at: Moment | None
    last_synced_at: Moment | None
    next_sync_at: Moment | None
    reauth_by: Moment | None
    created_at: Moment


class Revocation(Incoming):
    """Why access is ended; it is kept in the log."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Revoked(Outgoing):
    """`connections`: how many had tokens, which nothing uses from now on."""

    connections: int
