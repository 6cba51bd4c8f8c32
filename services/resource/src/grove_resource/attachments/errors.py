"""What can be wrong with a request about attachments."""

from grove.core.errors import Conflict, Forbidden, Invalid, NotFound

SCAN_RETRY_SECONDS = 5


class AttachmentNotFound(NotFound):
    """404."""

    message = "The task has no attachment with this id."


class OnlyToRead(Forbidden):
    """403: the task is shared with the user for reading."""

    message = "This task is shared with you for reading only."


class TooManyAttachments(Invalid):
    """422."""

    message = "A task can have 50 attachments. Delete one first."


class AttachmentBeingScanned(Conflict):
    """409, with Retry-After: whether the file is harmless is not known yet."""

    message = "The file is being scanned for malware. Try again in a moment."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": str(SCAN_RETRY_SECONDS)})


class AttachmentQuarantined(Forbidden):
    """403: the scanner knows the file as malware."""

    message = "The scanner found malware in this file, so nobody can download it. You can delete it."
