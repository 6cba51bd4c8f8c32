"""What can be wrong with a webhook."""

from grove.core.errors import GroveError


class NoticeNotTaken(GroveError):
    """401, and not why: whoever tries to make one learns nothing."""

    status = 401
    code = "AUTH_REQUIRED"
    message = "This is not signed by the provider."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Signature"})
