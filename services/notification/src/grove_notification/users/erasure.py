"""What the service has of a user."""

from grove.contracts.notification import UserErased
from grove.service.erasure import Erasure
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_notification.models import Mail, Notification, User

ERASURE = Erasure("notification", (Notification.user_id, Mail.user_id, User.id, IdempotencyKeyRow.user_id), UserErased)
