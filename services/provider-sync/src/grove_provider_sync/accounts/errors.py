"""What can be wrong with a request about accounts."""

from grove.core.errors import NotFound


class AccountNotFound(NotFound):
    """404."""

    message = "There is no account with this id."
