"""Every event the service consumes."""

from functools import partial

from grove.contracts.auth import UserDeleted, UserEmailChanged, UserRegistered, UserUpdated
from grove.messaging.handlers import Handlers
from grove_resource.resources import Resources
from grove_resource.shares.consumers import with_shares
from grove_resource.users import consumers as users


def handlers(resources: Resources) -> Handlers:
    """Event → handler."""
    found = Handlers()
    found.add(UserRegistered, with_shares(partial(users.on_registered, resources)))
    found.add(UserUpdated, users.on_updated)
    found.add(UserEmailChanged, with_shares(users.on_email_changed))
    found.add(UserDeleted, with_shares(partial(users.on_deleted, resources)))
    return found
