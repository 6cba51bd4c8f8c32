"""What can go wrong in administration."""

from grove.core.errors import Forbidden, NotFound


class UserNotFound(NotFound):
    """404."""

    message = "There is no user with this id."


class AboveYou(Forbidden):
    """403: the rule of the resource, beside the permission."""

    message = "You may not do this to somebody who ranks as high as you."


class NotYourself(Forbidden):
    """403."""

    message = "You may not do this to your own account."
