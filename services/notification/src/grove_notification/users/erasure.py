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
        DigestItem.user_id,
        Digest.user_id,
        Webhook.user_id,
        WebhookDelivery.user_id,
        LiveFrame.user_id,
        LivePosition.user_id,
        Notification.user_id,
        Preferences.user_id,
        Mail.user_id,
        User.id,
        IdempotencyKeyRow.user_id,
    ),
    UserErased,
)
