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
    reason: str,
    told: Callable[[Texts], str],
    moment: datetime,
) -> None:
    """Disable a locked webhook that did not take deliveries. `reason`: a sentence; `told`: what the mail says of it."""
    webhook.status, webhook.disabled_reason = "disabled", reason
    webhook.updated_at = moment
    webhook.version += 1
    await session.flush()
    await fail_waiting(session, webhook.id, moment)
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
    """End all deliveries that wait for a locked webhook that is disabled; how many. Those under way end by themselves.

    All at once, so that none of them is left when it is enabled again.
    """
    count = 0
    while ended := await _fail_some(session, webhook_id, moment):
        count += ended
    return count


async def _fail_some(session: AsyncSession, webhook_id: UUID, moment: datetime) -> int:
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
        variables={"url": webhook.url, "reason": told(Texts(owner.locale, owner.timezone))},
    )
    await mails.add(session, letter)
