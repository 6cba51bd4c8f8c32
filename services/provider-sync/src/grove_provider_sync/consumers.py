"""Every event the service consumes."""

from grove.contracts.auth import UserRegistered, UserUpdated
from grove.messaging.handlers import Handlers
from grove_provider_sync.users import consumers as users


def handlers() -> Handlers:
    """Event → handler."""
    found = Handlers()
    found.add(UserRegistered, users.on_registered)
    found.add(UserUpdated, users.on_updated)
    return found
