"""What can go wrong with devices."""

from grove.core.errors import NotFound


class DeviceNotFound(NotFound):
    """404."""

    message = "There is no trusted device with this id."
