"""Every event the service consumes."""

from functools import partial

from grove.contracts.auth import UserDeleted, UserRegistered, UserUpdated
from grove.messaging.handlers import Handlers
from grove_provider_sync.resources import Resources
from grove_provider_sync.users import consumers as users


def handlers(resources: Resources) -> Handlers:
    """Event → handler."""
    found = Handlers()
    found.add(UserRegistered, users.on_registered)
    found.add(UserUpdated, users.on_updated)
    found.add(UserDeleted, partial(users.on_deleted, resources))
    return found
