"""What the service has of a user."""

from grove.contracts.resource import UserErased
from grove.service.erasure import Erasure
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_resource.models import Task, User

ERASURE = Erasure("resource", (Task.user_id, User.id, IdempotencyKeyRow.user_id), UserErased)
