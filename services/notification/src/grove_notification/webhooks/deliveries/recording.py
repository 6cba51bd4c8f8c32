"""Writing down how a try ended. The webhook is held before its delivery, as everywhere: nobody waits in a circle."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy import ColumnElement, case, func, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import rfc3339
from grove_notification.mails.queue import MailQueue
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.deliveries import turns
from grove_notification.webhooks.deliveries.calling import Answer
from grove_notification.webhooks.deliveries.claiming import Claimed
from grove_notification.webhooks.deliveries.outcomes import Outcome
from grove_notification.webhooks.disabling import DISABLED, disable
from grove_notification.wording.webhooks import last_failure

SLOW = timedelta(seconds=3)
"""A try that takes as long as this makes its endpoint a slow one."""
SLOW_FOR = timedelta(minutes=10)
Ended = Literal["delivered", "failed"]
TRIES = 20
"""Tries that a delivery tells of: all of a schedule, and some of the one before it was sent again."""
_NEWEST = case(
    (func.jsonb_array_length(WebhookDelivery.tries) >= TRIES, WebhookDelivery.tries.op("-")(literal_column("0"))),
    else_=WebhookDelivery.tries,
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a try ended, and when it began and ended."""

    answer: Answer
    outcome: Outcome
    started: datetime
    moment: datetime

    @property
    def as_try(self) -> dict[str, Any]:
        """As the delivery tells of it (TryRead)."""
        return {
            "at": rfc3339(self.started),
            "duration_ms": round((self.moment - self.started).total_seconds() * 1000),
            "response_status": self.answer.status,
            "response_excerpt": self.answer.excerpt,
            "error": self.outcome.error,
        }


class Recorder:
    """Records in a session's transaction. `disable_after`: how long a webhook may take nothing."""

    def __init__(self, session: AsyncSession, mails: MailQueue, disable_after: timedelta) -> None:
        self._session = session
        self._mails = mails
        self._disable_after = disable_after

    async def record(self, delivery: Claimed, ending: Ending) -> bool:
        """The outcome, and what follows from it for the webhook. False when the delivery is somebody else's by now."""
        outcome, moment = ending.outcome, ending.moment
        if moment - ending.started >= SLOW:
            await self._slow(delivery, moment)
        if outcome.kind == "delivered":
            await self._healed(delivery, moment)
            if delivery.ordered:  # the next one's turn has come; others had theirs
                await self._lower(delivery, moment)
            return await self._end(delivery, ending, "delivered", None)
        webhook = await self._session.scalar(
            select(Webhook).where(Webhook.id == delivery.webhook_id).with_for_update(key_share=True)
        )
        if webhook is None:
            return False
        if webhook.url != delivery.url:
            return await self._failed_elsewhere(delivery, ending, webhook)
        await self._failing(webhook, outcome, moment)
        kept = await self._failed(delivery, ending, webhook)
        if kept and webhook.status == "active" and (reason := self._reason(outcome, webhook, moment)):
            told = partial(last_failure, ending.answer.status)
            await disable(self._session, self._mails, webhook, told, moment, reason)
        return kept

    async def record_alone(self, delivery: Claimed, ending: Ending) -> bool:
        """The outcome, and nothing of what follows from it: for when that could not be written."""
        outcome = ending.outcome
        await self._lower(delivery, outcome.retry_at or ending.moment)
        short = replace(ending, answer=Answer(status=ending.answer.status))
        if outcome.retry_at is not None:
            return await self._again(delivery, short, outcome.retry_at)
        return await self._end(delivery, short, "delivered" if outcome.kind == "delivered" else "failed", outcome.error)

    async def _failing(self, webhook: Webhook, outcome: Outcome, moment: datetime) -> None:
        if webhook.failing_since is None:
            webhook.failing_since = moment
            webhook.version += 1
        if outcome.resume_at is not None and (webhook.resume_at is None or webhook.resume_at < outcome.resume_at):
            webhook.resume_at = outcome.resume_at
            webhook.version += 1
        turns.lower_locked(webhook, outcome.retry_at or moment)
        await self._session.flush()

    async def _failed_elsewhere(self, delivery: Claimed, ending: Ending, webhook: Webhook) -> bool:
        """At a URL that is the webhook's no more: that says nothing of the present one, which is tried at once."""
        if webhook.status != "active":
            return await self._end(delivery, ending, "failed", DISABLED)
        turns.lower_locked(webhook, ending.moment)
        await self._session.flush()
        return await self._again(delivery, ending, ending.moment)

    async def _failed(self, delivery: Claimed, ending: Ending, webhook: Webhook) -> bool:
        outcome = ending.outcome
        if outcome.retry_at is None:
            return await self._end(delivery, ending, "failed", outcome.error)
        if webhook.status != "active":
            return await self._end(delivery, ending, "failed", DISABLED)
        return await self._again(delivery, ending, outcome.retry_at)

    def _reason(self, outcome: Outcome, webhook: Webhook, moment: datetime) -> str | None:
        """Why the webhook is to be disabled. By time only when a delivery has had all its tries: where little is sent,
        the failure before may be long ago.
        """
        if outcome.kind == "gone":
            return outcome.error
        since = webhook.failing_since
        if outcome.kind == "failed" and since is not None and since + self._disable_after <= moment:
            return f"The endpoint took nothing since {since:%Y-%m-%d %H:%M} UTC."
        return None

    async def _healed(self, delivery: Claimed, moment: datetime) -> None:
        failed = Webhook.failing_since.is_not(None)
        await self._session.execute(
            update(Webhook)
            .where(*_endpoint(delivery), or_(failed, Webhook.proven.is_(False)))
            .values(
                proven=True,
                failing_since=None,
                resume_at=case((Webhook.resume_at > moment, Webhook.resume_at)),
                version=Webhook.version + case((failed, 1), else_=0),
                updated_at=case((failed, moment), else_=Webhook.updated_at),
            ),
            execution_options={"synchronize_session": False},
        )

    async def _slow(self, delivery: Claimed, moment: datetime) -> None:
        """For a while, whatever it does meanwhile: else it could be quick now and then, and hold up others again."""
        long_ago = or_(Webhook.slow_until.is_(None), Webhook.slow_until < moment + SLOW_FOR / 2)
        await self._session.execute(
            update(Webhook).where(*_endpoint(delivery), long_ago).values(slow_until=moment + SLOW_FOR),
            execution_options={"synchronize_session": False},
        )

    async def _lower(self, delivery: Claimed, moment: datetime) -> None:
        await turns.lower(await self._session.connection(), [delivery.webhook_id], moment)

    async def _end(self, delivery: Claimed, ending: Ending, status: Ended, error: str | None) -> bool:
        return await self._write(
            delivery, ending, status=status, last_error=error, next_attempt_at=None, finished_at=ending.moment
        )

    async def _again(self, delivery: Claimed, ending: Ending, due: datetime) -> bool:
        return await self._write(
            delivery, ending, status="pending", last_error=ending.outcome.error, next_attempt_at=due
        )

    async def _write(self, delivery: Claimed, ending: Ending, **values: object) -> bool:
        written = await self._session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id == delivery.id, WebhookDelivery.leased_until == delivery.leased_until)
            .values(
                attempts=WebhookDelivery.attempts + 1,
                leased_until=None,
                response_status=ending.answer.status,
                response_excerpt=ending.answer.excerpt,
                tries=_NEWEST.concat([ending.as_try]),
                **values,
            )
            .returning(WebhookDelivery.id),
            execution_options={"synchronize_session": False},
        )
        return written.scalar() is not None


def _endpoint(delivery: Claimed) -> tuple[ColumnElement[bool], ...]:
    """Its webhook, if that has still the URL that was called."""
    return Webhook.id == delivery.webhook_id, Webhook.url == delivery.url
