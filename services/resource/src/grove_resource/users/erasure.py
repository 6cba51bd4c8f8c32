"""What the service has of a user."""

from grove.contracts.resource import UserErased
from grove.service.erasure import Erasure
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_resource.models import Activity, Attachment, Moment, Profile, Reminder, Share, Tag, Task, User

ERASURE = Erasure(
    "resource",
    (
        Task.user_id,
        Tag.user_id,
        Share.user_id,
        Reminder.user_id,
        Attachment.user_id,
        Profile.user_id,
        Moment.user_id,
        Activity.user_id,
        User.id,
        IdempotencyKeyRow.user_id,
    ),
    UserErased,
)
