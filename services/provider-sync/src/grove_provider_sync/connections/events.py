"""Connection → contract event."""

from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts import provider_sync
from grove.contracts.event import EventData
from grove.core.clock import now
from grove.outbox.postgres import Outbox
from grove_provider_sync.models import Connection, SyncRun
from grove_provider_sync.providers.interface import Description
from grove_provider_sync.settings import ProviderSyncSettings

_Trigger = Literal["initial", "scheduled", "user"]


async def tell(session: AsyncSession, connection: Connection, fact: EventData) -> None:
    """Add a fact about a locked connection, as the next of its facts."""
    connection.sequence += 1
    await Outbox(session, ProviderSyncSettings.service).add((fact, connection.sequence))


def linked(connection: Connection, provider: Description) -> provider_sync.ConnectionLinked:
    """The provider gave access."""
    return provider_sync.ConnectionLinked(**_about(connection, provider), linked_at=now())


def needs_reauth(
    connection: Connection,
    provider: Description,
    *,
    code: str,
    reason: str,
    ends_at: datetime | None = None,
    days_left: int | None = None,
) -> provider_sync.ConnectionNeedsReauth:
    """The provider took access away, or will."""
    return provider_sync.ConnectionNeedsReauth(
        **_about(connection, provider),
        reason=reason,
        reason_code=code,
        since=now(),
        ends_at=ends_at,
        days_left=days_left,
    )


def recovered(connection: Connection, provider: Description) -> provider_sync.ConnectionRecovered:
    """It works again."""
    return provider_sync.ConnectionRecovered(**_about(connection, provider), recovered_at=now())


def removed(connection: Connection, provider: Description) -> provider_sync.ConnectionRemoved:
    """The user removed it."""
    return provider_sync.ConnectionRemoved(**_about(connection, provider), removed_at=now())


def run_completed(
    connection: Connection, provider: Description, run: SyncRun, *, accounts: int, after_failure: bool
) -> provider_sync.RunCompleted:
    """A run succeeded."""
    return provider_sync.RunCompleted(
        **_about(connection, provider),
        run_id=run.id,
        trigger=_trigger(run),
        after_failure=after_failure,
        accounts=accounts,
        added=run.added,
        changed=run.changed,
        removed=run.removed,
        finished_at=now(),
    )


def run_failed(connection: Connection, provider: Description, run: SyncRun) -> provider_sync.RunFailed:
    """A run failed."""
    return provider_sync.RunFailed(
        **_about(connection, provider),
        run_id=run.id,
        trigger=_trigger(run),
        reason=run.error or "",
        reason_code=run.error_code or "",
        failures=connection.failures,
        next_try_at=connection.next_sync_at,
        finished_at=now(),
    )


def transactions_changed(
    connection: Connection, provider: Description, *, added: int, changed: int, removed: int, ids: list[Any]
) -> provider_sync.TransactionsChanged:
    """A page was applied."""
    return provider_sync.TransactionsChanged(
        **_about(connection, provider),
        added=added,
        changed=changed,
        removed=removed,
        transaction_ids=ids[:100],
    )


def _about(connection: Connection, provider: Description) -> dict[str, Any]:
    return {
        "connection_id": connection.id,
        "user_id": connection.user_id,
        "provider": provider.key,
        "provider_name": provider.name,
    }


def _trigger(run: SyncRun) -> _Trigger:
    """Consumers know three: what a webhook set off was asked for by nobody, like what is scheduled."""
    return cast("_Trigger", "scheduled" if run.trigger == "webhook" else run.trigger)
