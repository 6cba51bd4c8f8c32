"""What the service has of a user."""

from grove.contracts.notification import UserErased
from grove.service.erasure import Erasure
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_notification.models import (
    Digest,
    DigestItem,
    LiveFrame,
    LivePosition,
    Mail,
    Notification,
    Preferences,
    User,
    Webhook,
    WebhookDelivery,
)

ERASURE = Erasure(
    "notification",
    (  # first what facts and ending deliveries lock too, in their order
        User.id,
        Preferences.user_id,
        Digest.user_id,  # before its items: who mails a digest locks it first, and deletes them with it
        DigestItem.user_id,
        Webhook.user_id,
        WebhookDelivery.user_id,
        Notification.user_id,  # before the stream, as the release of what was held
        LiveFrame.user_id,
        LivePosition.user_id,
        Mail.user_id,
        IdempotencyKeyRow.user_id,
    ),
    UserErased,
)
