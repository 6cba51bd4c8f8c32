"""The rules of webhooks."""

from datetime import datetime, timedelta
from uuid import UUID

from grove.core.clock import now
from grove.core.ids import new_id
from grove.security.encryption import DecryptionFailed, FieldCipher
from grove.web.etag import Conditions, etag
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.deliveries import payload, turns
from grove_notification.webhooks.deliveries.repository import DeliveryRepository
from grove_notification.webhooks.deliveries.schemas import Queued, Redelivery
from grove_notification.webhooks.errors import DeliveryEnded, DeliveryPending, TooManyWebhooks, WebhookDisabled
from grove_notification.webhooks.event_types import TEST
from grove_notification.webhooks.repository import DELETED, WebhookRepository
from grove_notification.webhooks.schemas import WebhookCreate, WebhookPatch, WebhookReplace
from grove_notification.webhooks.sealing import open_keys, seal_keys
from grove_notification.webhooks.signing import Keys

MOST = 20
"""Webhooks of a user."""
SKIPPED = "It was skipped by its user."


class WebhookService:
    """Changes webhooks of the acting user. Never commits. URLs were checked before (targets.py)."""

    def __init__(
        self, webhooks: WebhookRepository, deliveries: DeliveryRepository, cipher: FieldCipher, *, pending_max: int
    ) -> None:
        """`pending_max`: deliveries that may wait for an endpoint."""
        self._pending_max = pending_max
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._cipher = cipher

    async def create(self, data: WebhookCreate) -> tuple[Webhook, str | None]:
        """A new webhook, and its secret. Raises TooManyWebhooks."""
        moment, webhook_id = now(), new_id()
        keys = Keys.new(data.signature)
        webhook = Webhook(
            id=webhook_id,
            user_id=self._webhooks.user_id,
            url=data.url,
            event_types=data.event_types,
            description=data.description,
            signature=data.signature,
            ordered=data.ordered,
            secrets=seal_keys(self._cipher, webhook_id, keys),
            public_key=keys.public_key,
            status="active",
            disabled_reason=None,
            failing_since=None,
            proven=False,
            version=1,
            created_at=moment,
            updated_at=moment,
        )
        if not await self._webhooks.add(webhook, most=MOST):
            raise TooManyWebhooks(MOST)
        return webhook, keys.shown

    async def change(self, webhook_id: UUID, data: WebhookReplace | WebhookPatch, conditions: Conditions) -> Webhook:
        """Set the fields that were sent. Disabling ends what waits.

        Who sets the status to active begins anew, and so does another URL, of which nothing is known: what waits is
        due at once.
        """
        activated = "status" in data.model_fields_set and data.status == "active"
        webhook = await (self._webhooks.locked_alone if activated else self._webhooks.locked)(webhook_id)
        conditions.require(etag(webhook.id, webhook.version))
        changed = {name for name in data.model_fields_set if getattr(webhook, name) != getattr(data, name)}
        if "status" in changed and activated:  # disabling may have left some, or a fact that was being queued
            await self._webhooks.end_waiting(webhook)
        for name in changed:
            setattr(webhook, name, getattr(data, name))
        if "url" in changed or activated:
            changed |= {name for name in ("failing_since", "resume_at") if getattr(webhook, name) is not None}
            webhook.failing_since = webhook.resume_at = None
        if "url" in changed:
            webhook.proven, webhook.slow_until = False, None
        if "status" in changed:
            webhook.disabled_reason = None if activated else "You disabled it."
        await self._update(webhook, changed, anew="url" in changed or activated)
        return webhook

    async def _update(self, webhook: Webhook, changed: set[str], *, anew: bool) -> None:
        """Write what was changed, and what follows from it for what waits. `anew`: that is tried at once."""
        moment = now()
        if changed:
            webhook.version += 1
            webhook.updated_at = moment
        if webhook.status == "disabled":
            if "status" in changed:
                await self._webhooks.end_some(webhook)
        elif anew or "ordered" in changed:
            turns.lower_locked(webhook, moment)
            await self._webhooks.flush()
            if anew:
                await self._deliveries.make_due(webhook.id, moment)

    async def delete(self, webhook_id: UUID, conditions: Conditions) -> None:
        """The webhook is gone for everybody. Its deliveries can be more than a request has time to delete."""
        webhook = await self._webhooks.locked(webhook_id)
        conditions.require(etag(webhook.id, webhook.version))
        webhook.status = DELETED
        webhook.url = webhook.secrets = webhook.description = ""

    async def rotate(self, webhook_id: UUID, overlap: timedelta, conditions: Conditions) -> tuple[Webhook, str | None]:
        """Another secret; the former one signs beside it for `overlap`, if it can be read. Raises TooManyOverlaps."""
        webhook = await self._webhooks.locked(webhook_id)
        conditions.require(etag(webhook.id, webhook.version))
        moment = now()
        try:
            keys = open_keys(self._cipher, webhook.id, webhook.secrets).rotated(moment, overlap)
        except DecryptionFailed:
            keys = Keys.new(webhook.signature)
        webhook.secrets = seal_keys(self._cipher, webhook.id, keys)
        webhook.public_key = keys.public_key
        webhook.version += 1
        webhook.updated_at = moment
        return webhook, keys.shown

    async def test(self, webhook_id: UUID) -> WebhookDelivery:
        """Queue a message that says nothing. Raises WebhookDisabled."""
        webhook = await self._active(webhook_id)
        moment, event_id = now(), new_id()
        delivery = WebhookDelivery(
            id=new_id(),
            webhook_id=webhook.id,
            user_id=webhook.user_id,
            event_id=event_id,
            message_id=payload.message_id(event_id, webhook.user_id),
            event_type=TEST,
            body=payload.of_test(moment, webhook.id),
            status="pending",
            attempts=0,
            next_attempt_at=moment,
            created_at=moment,
        )
        await self._due(webhook, moment)
        await self._deliveries.add(delivery)
        return delivery

    async def redeliver(self, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
        """Send a delivery now: one that has ended from the schedule's start, one that waits without its pause.

        Raises WebhookDisabled, DeliveryPending.
        """
        webhook, moment = await self._active(webhook_id), now()
        await self._due(webhook, moment)
        delivery = await self._in_nobodys_hands(webhook_id, delivery_id, moment)
        delivery.next_attempt_at, delivery.leased_until = moment, None
        if delivery.status != "pending":
            delivery.status, delivery.attempts, delivery.finished_at = "pending", 0, None
        return delivery

    async def skip(self, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
        """End a delivery that waits: those behind it go on. Raises DeliveryPending, DeliveryEnded."""
        webhook, moment = await self._webhooks.locked(webhook_id), now()
        await self._due(webhook, moment)
        delivery = await self._in_nobodys_hands(webhook_id, delivery_id, moment)
        if delivery.status != "pending":
            raise DeliveryEnded
        delivery.status, delivery.last_error, delivery.finished_at = "failed", SKIPPED, moment
        delivery.next_attempt_at = delivery.leased_until = None
        return delivery

    async def tag(self, delivery: WebhookDelivery) -> str:
        """The entity tag of one that was changed."""
        return await self._deliveries.tag(delivery)

    async def redeliver_all(self, webhook_id: UUID, data: Redelivery) -> Queued:
        """The same for all of a time range that have ended, up to half of what may wait: facts come as well.

        Raises WebhookDisabled.
        """
        webhook, moment = await self._active(webhook_id), now()
        await self._due(webhook, moment)
        most = self._pending_max // 2
        room = most - await self._deliveries.waiting(webhook_id, most=most)
        return await self._deliveries.queue_again(webhook_id, data, room=room, moment=moment)

    async def _in_nobodys_hands(self, webhook_id: UUID, delivery_id: UUID, moment: datetime) -> WebhookDelivery:
        delivery = await self._deliveries.locked(webhook_id, delivery_id)
        if delivery.leased_until is not None and delivery.leased_until > moment:
            raise DeliveryPending
        return delivery

    async def _due(self, webhook: Webhook, moment: datetime) -> None:
        """Something of a locked webhook is due now: that is written before its deliveries are."""
        turns.lower_locked(webhook, moment)
        await self._webhooks.flush()

    async def _active(self, webhook_id: UUID) -> Webhook:
        webhook = await self._webhooks.locked(webhook_id)
        if webhook.status != "active":
            raise WebhookDisabled
        return webhook
