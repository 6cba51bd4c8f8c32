"""Events of the provider-sync service."""

from typing import ClassVar, Literal
from uuid import UUID

from grove.contracts.event import Erased, EventData, Time

TOLD_FAILURES = 3
"""Runs that fail in a row before a connection counts as failing, and somebody who asked for none of them is told, once:
most that fails once works an hour later.
"""


class _Connection(EventData):
    connection_id: UUID
    user_id: UUID
    provider: str
    provider_name: str

    def subject(self) -> str:
        return str(self.connection_id)


class ConnectionLinked(_Connection):
    """A user linked a provider (again)."""

    type: ClassVar = "provider_sync.connection.linked.v1"
    linked_at: Time


class ConnectionNeedsReauth(_Connection):
    """The provider no longer accepts our tokens, or soon will not: the user must reconnect.

    `ends_at` and `days_left` are given ahead of the end, and null once access has ended. `reason_code` is for programs:
    refused, withdrawn, consent_ended, ends_soon, revoked_by_operator, unreadable.
    """

    type: ClassVar = "provider_sync.connection.needs_reauth.v1"
    reason: str
    reason_code: str = ""
    since: Time
    ends_at: Time | None = None
    days_left: int | None = None


class ConnectionRecovered(_Connection):
    """The first run succeeded after several that failed, or after the user reconnected."""

    type: ClassVar = "provider_sync.connection.recovered.v1"
    recovered_at: Time


class ConnectionRemoved(_Connection):
    """A user removed a connection."""

    type: ClassVar = "provider_sync.connection.removed.v1"
    removed_at: Time


class RunCompleted(_Connection):
    """A sync run succeeded."""

    type: ClassVar = "provider_sync.run.completed.v1"
    run_id: UUID
    trigger: Literal["initial", "scheduled", "user"]
    after_failure: bool
    accounts: int
    added: int
    changed: int
    removed: int
    finished_at: Time


class RunFailed(_Connection):
    """A sync run failed; it will be tried again unless the connection needs its user.

    `failures`: how many failed in a row. `reason_code` is for programs: unavailable, timeout, throttled,
    history_changes, not_offered, fault.
    """

    type: ClassVar = "provider_sync.run.failed.v1"
    run_id: UUID
    trigger: Literal["initial", "scheduled", "user"]
    reason: str
    reason_code: str = ""
    failures: int = 1
    next_try_at: Time | None = None
    finished_at: Time


class TransactionsChanged(_Connection):
    """One page of transactions was applied: counts, and ids up to 100."""

    type: ClassVar = "provider_sync.transactions.changed.v1"
    added: int
    changed: int
    removed: int
    transaction_ids: list[UUID]


class UserErased(Erased):
    """This service erased a deleted user."""

    type: ClassVar = "provider_sync.user.erased.v1"
