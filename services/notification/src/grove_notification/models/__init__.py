"""Tables, one file each; imported here so that migrations see them all."""

from grove.outbox.postgres import InboxRow, OutboxRow
from grove.postgres.base import Base
from grove.service.erasure import ErasedUser
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_notification.models.digest import Digest, DigestItem
from grove_notification.models.live import LiveFrame, LivePosition
from grove_notification.models.mail import Mail
from grove_notification.models.notification import Notification
from grove_notification.models.preferences import Preferences
from grove_notification.models.user import User
from grove_notification.models.webhook import Webhook, WebhookDelivery

__all__ = [
    "Base",
    "Digest",
    "DigestItem",
    "ErasedUser",
    "IdempotencyKeyRow",
    "InboxRow",
    "LiveFrame",
    "LivePosition",
    "Mail",
    "Notification",
    "OutboxRow",
    "Preferences",
    "User",
    "Webhook",
    "WebhookDelivery",
]
