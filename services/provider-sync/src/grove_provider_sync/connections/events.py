"""Connection → contract event."""

from typing import Any

from grove.contracts import provider_sync
from grove.core.clock import now
from grove_provider_sync.models import Connection, SyncRun
from grove_provider_sync.providers.interface import Description


def _about(connection: Connection, provider: Description) -> dict[str, Any]:
    return {
        "connection_id": connection.id,
        "user_id": connection.user_id,
        "provider": provider.key,
        "provider_name": provider.name,
    }


def linked(connection: Connection, provider: Description) -> provider_sync.ConnectionLinked:
    """The provider gave access."""
    return provider_sync.ConnectionLinked(**_about(connection, provider), linked_at=now())


def needs_reauth(connection: Connection, provider: Description, reason: str) -> provider_sync.ConnectionNeedsReauth:
    """The provider took access away."""
    return provider_sync.ConnectionNeedsReauth(**_about(connection, provider), reason=reason, since=now())


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
        trigger=run.trigger,
        after_failure=after_failure,
        accounts=accounts,
        added=run.added,
        changed=run.changed,
        removed=run.removed,
        finished_at=now(),
    )


def run_failed(connection: Connection, provider: Description, run: SyncRun, reason: str) -> provider_sync.RunFailed:
    """A run failed."""
    return provider_sync.RunFailed(
        **_about(connection, provider), run_id=run.id, trigger=run.trigger, reason=reason, finished_at=now()
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
