"""Every event the service consumes."""

from grove.contracts.auth import UserDeleted, UserEmailChanged, UserRegistered, UserUpdated
from grove.messaging.handlers import Handlers
from grove_resource.users import consumers as users
from grove_resource.users.erasure import ERASURE


def handlers() -> Handlers:
    """Event → handler."""
    found = Handlers()
    found.add(UserRegistered, users.on_registered)
    found.add(UserUpdated, users.on_updated)
    found.add(UserEmailChanged, users.on_email_changed)
    found.add(UserDeleted, ERASURE.on_deleted)
    return found
