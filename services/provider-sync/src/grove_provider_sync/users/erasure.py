"""What the service has of a user."""

from grove.contracts.provider_sync import UserErased
from grove.service.erasure import Erasure
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_provider_sync.models import Connection, User

ERASURE = Erasure("provider-sync", (Connection.user_id, User.id, IdempotencyKeyRow.user_id), UserErased)
