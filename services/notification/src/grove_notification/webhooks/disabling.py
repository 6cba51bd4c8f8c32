"""Disabling a webhook: what waits for it fails, its owner gets a mail, operators an event."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.notification import WebhookDisabled
from grove.outbox.postgres import Outbox
from grove_notification.mails.queue import Letter, MailQueue
from grove_notification.models import User, Webhook, WebhookDelivery
from grove_notification.settings import NotificationSettings
from grove_notification.texts import Texts
from grove_notification.webhooks.targets import host_of

AT_ONCE = 1000
"""Waiting deliveries that one statement ends."""
DISABLED = "The webhook was disabled."


async def disable(
    session: AsyncSession,
    mails: MailQueue,
    webhook: Webhook,
    told: Callable[[Texts], str],
    moment: datetime,
    reason: str | None = None,
) -> None:
    """Disable a locked webhook that did not take deliveries.

    `told`: why, in the words of the mail; `reason`: in those of the API and the event, where they say more.
    """
    reason = reason or told(Texts("en", "UTC"))
    webhook.status, webhook.disabled_reason = "disabled", reason
    webhook.updated_at = moment
    webhook.version += 1
    await session.flush()
    await fail_some(session, webhook.id, moment)
    fact = WebhookDisabled(
        webhook_id=webhook.id,
        user_id=webhook.user_id,
        host=host_of(webhook.url),
        reason=reason,
        failing_since=webhook.failing_since or moment,
        disabled_at=moment,
    )
    await Outbox(session, NotificationSettings.service).add((fact, webhook.version))
    await _mail(session, mails, webhook, told)


async def fail_waiting(session: AsyncSession, webhook_id: UUID, moment: datetime) -> int:
    """End all deliveries that wait for a locked webhook; how many. Those under way end by themselves."""
    count = 0
    while ended := await fail_some(session, webhook_id, moment):
        count += ended
    return count


async def fail_some(session: AsyncSession, webhook_id: UUID, moment: datetime) -> int:
    """The same of AT_ONCE of them: whoever disables a webhook leaves the others to the backlog (backlog.py)."""
    waits = (
        WebhookDelivery.status == "pending",
        or_(WebhookDelivery.leased_until.is_(None), WebhookDelivery.leased_until < func.clock_timestamp()),
    )
    waiting = select(WebhookDelivery.id).where(WebhookDelivery.webhook_id == webhook_id, *waits).limit(AT_ONCE)
    ended = await session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.id.in_(waiting), *waits)  # once more: the end of a try may have been written meanwhile
        .values(status="failed", last_error=DISABLED, next_attempt_at=None, leased_until=None, finished_at=moment)
        .returning(WebhookDelivery.id),
        execution_options={"synchronize_session": False},
    )
    return len(ended.all())


async def _mail(session: AsyncSession, mails: MailQueue, webhook: Webhook, told: Callable[[Texts], str]) -> None:
    owner = await session.get(User, webhook.user_id)
    if owner is None or owner.email is None:
        return
    letter = Letter(
        template="webhook_disabled",
        to=owner.email,
        user_id=owner.id,
        locale=owner.locale,
        variables={"host": host_of(webhook.url), "reason": told(Texts(owner.locale, owner.timezone))},
    )
    await mails.add(session, letter)
