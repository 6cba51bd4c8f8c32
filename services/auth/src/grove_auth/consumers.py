"""Every event the service consumes."""

from grove.contracts import notification, provider_sync, resource
from grove.messaging.handlers import Handlers
from grove_auth.deletions import consumers as deletions


def handlers() -> Handlers:
    """Event → handler."""
    found = Handlers()
    found.add(resource.UserErased, deletions.on_erased)
    found.add(notification.UserErased, deletions.on_erased)
    found.add(provider_sync.UserErased, deletions.on_erased)
    return found
