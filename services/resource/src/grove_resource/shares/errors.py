"""What can be wrong with a request about shares."""

from grove.core.errors import Invalid, NotFound


class ShareNotFound(NotFound):
    """404."""

    message = "This task has no share with this id."


class TooManyShares(Invalid):
    """422."""

    def __init__(self, most: int) -> None:
        super().__init__(f"This task is shared with {most} addresses, which is as many as there can be.")
