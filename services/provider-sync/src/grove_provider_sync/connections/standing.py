"""How a connection stands, in a word for programs and a sentence for people, and how its user is told."""

from datetime import timedelta
from typing import Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.backoff import full_jitter
from grove.core.clock import now
from grove_provider_sync.connections import events
from grove_provider_sync.models import Connection, SyncRun
from grove_provider_sync.providers.interface import Description

log = structlog.get_logger()

PENDING = "Waiting for you to give access at the provider."
LINKED = "Connected. The first synchronisation is on its way."
UP_TO_DATE = "Up to date."
REVOKED = "You removed this connection."

Lost = Literal["refused", "withdrawn", "consent_ended", "revoked_by_operator", "unreadable"]
_LOST: dict[Lost, str] = {
    "refused": "The provider no longer accepts our access. Reconnect to go on.",
    "withdrawn": "Access was withdrawn at the provider. Reconnect if you want it back.",
    "consent_ended": "The access you gave has ended. Reconnect to go on.",
    "revoked_by_operator": "Access was ended by the operators of this service. Reconnect to go on.",
    "unreadable": "Our access can't be used any more. Reconnect to go on.",
}
LONGEST_PAUSE_SECONDS = 6 * 3600
MOST_FAILURES = 10_000
"""Nobody counts further, and the column could not."""


async def lose_access(
    session: AsyncSession, connection: Connection, provider: Description, code: Lost, run: SyncRun | None = None
) -> None:
    """Only the user can mend the locked connection now. Its open run ends."""
    sentence = _LOST[code]
    connection.status, connection.status_detail, connection.next_sync_at = "needs_reauth", sentence, None
    connection.lease_until = connection.leased_by = None
    connection.failures = min(connection.failures + 1, MOST_FAILURES)
    if run is not None:
        end_run(run, "failed", code, sentence)
    await events.tell(
        session, connection, events.needs_reauth(connection, provider, code=code, reason=first_sentence(sentence))
    )
    log.warning("connection.needs_reauth", connection_id=str(connection.id), reason=code)


async def fail(
    session: AsyncSession,
    connection: Connection,
    provider: Description,
    run: SyncRun,
    *,
    code: str,
    reason: str,
    retry_seconds: float,
) -> None:
    """The locked connection's run failed; the next tries it again, later with each failure."""
    end_run(run, "failed", code, reason)
    connection.failures = min(connection.failures + 1, MOST_FAILURES)
    pause = retry_seconds / 2 + full_jitter(connection.failures, base=retry_seconds, cap=LONGEST_PAUSE_SECONDS)
    connection.next_sync_at = now() + timedelta(seconds=pause)
    connection.status = "error"
    connection.status_detail = with_warning(connection, f"{reason} It is tried again by itself."[:500])
    connection.lease_until = connection.leased_by = None
    await events.tell(session, connection, events.run_failed(connection, provider, run))
    log.warning("sync.run_failed", connection_id=str(connection.id), reason=reason, failures=connection.failures)


def with_warning(connection: Connection, sentence: str) -> str:
    """How the connection stands, and until when if its user was warned that access ends."""
    if connection.reauth_by is None or connection.warned_days is None:
        return sentence
    day = connection.reauth_by
    warning = f"Access ends on {day.day} {day:%B %Y}. Reconnect before that to go on."
    return sentence if sentence.endswith(warning) else f"{sentence[: 499 - len(warning)]} {warning}"


def end_run(run: SyncRun, status: Literal["completed", "failed"], code: str | None, reason: str | None) -> None:
    """The run is over."""
    run.status, run.finished_at, run.not_before = status, now(), None
    run.error_code, run.error = code, reason[:500] if reason else None


def first_sentence(text: str) -> str:
    """Up to its first full stop."""
    return text.split(". ", maxsplit=1)[0].rstrip(".") + "."
