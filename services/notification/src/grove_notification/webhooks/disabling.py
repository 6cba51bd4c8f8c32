"""Disabling a webhook: what waits for it fails, its owner gets a mail, operators an event."""

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
from grove_notification.wording.webhooks import last_failure

AT_ONCE = 1000
"""Waiting deliveries that one transaction ends; the rest of them is left to the cleaning (cleaning.py)."""
DISABLED = "The webhook was disabled."


async def disable(
    session: AsyncSession, mails: MailQueue, webhook: Webhook, reason: str, status: int | None, moment: datetime
) -> None:
    """Disable a locked webhook that did not take deliveries. `reason`: a sentence; `status`: its last answer's."""
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
    await _mail(session, mails, webhook, status)


async def fail_waiting(session: AsyncSession, webhook_id: UUID, moment: datetime) -> int:
    """End deliveries that wait for a webhook that is disabled, up to AT_ONCE; how many. Those under way end by
    themselves.
    """
    waiting = (
        select(WebhookDelivery.id)
        .where(
            WebhookDelivery.webhook_id == webhook_id,
            WebhookDelivery.status == "pending",
            or_(WebhookDelivery.leased_until.is_(None), WebhookDelivery.leased_until < func.clock_timestamp()),
        )
        .limit(AT_ONCE)
    )
    ended = await session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.id.in_(waiting))
        .values(status="failed", last_error=DISABLED, next_attempt_at=None, leased_until=None, finished_at=moment)
        .returning(WebhookDelivery.id),
        execution_options={"synchronize_session": False},
    )
    return len(ended.all())


async def _mail(session: AsyncSession, mails: MailQueue, webhook: Webhook, status: int | None) -> None:
    owner = await session.get(User, webhook.user_id)
    if owner is None or owner.email is None:
        return
    letter = Letter(
        template="webhook_disabled",
        to=owner.email,
        user_id=owner.id,
        locale=owner.locale,
        variables={"url": webhook.url, "reason": last_failure(status, Texts(owner.locale, owner.timezone))},
    )
    await mails.add(session, letter)
