"""What can go wrong with linked identities."""

from grove.core.errors import InvalidState


class LastWayIn(InvalidState):
    """400: nothing else opens the account."""

    message = "This is the only way into your account. Set a password or link another provider first."
