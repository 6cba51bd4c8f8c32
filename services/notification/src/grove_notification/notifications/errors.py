"""What can be wrong with a request about notifications."""

from grove.core.errors import NotFound


class NotificationNotFound(NotFound):
    """404."""

    message = "There is no notification with this id."
