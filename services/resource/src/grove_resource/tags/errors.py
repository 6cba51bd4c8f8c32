"""What can be wrong with a request about tags."""

from grove.core.errors import Conflict, Invalid, NotFound


class TagNotFound(NotFound):
    """404."""

    message = "There is no tag with this id."


class TagExists(Conflict):
    """409: the user has a tag of that name."""

    message = "You have a tag with this name."


class TooManyTags(Invalid):
    """422."""

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} tags, which is as many as there can be. Delete one first.")
