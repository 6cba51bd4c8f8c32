"""What can be wrong with a request about profiles."""

from grove.core.errors import Conflict, NotFound


class ProfileNotFound(NotFound):
    """404: nobody has this id, or nobody any more."""

    message = "There is no profile of this user."


class PhotoNotFound(NotFound):
    """404."""

    message = "This profile has no photo."


class NameTaken(Conflict):
    """409: somebody has the name, perhaps in other letters."""

    message = "This name is taken. Choose another one."
