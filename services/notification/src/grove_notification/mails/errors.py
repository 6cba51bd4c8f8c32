"""What can be wrong with a request about mails."""

from grove.core.errors import InvalidState, NotFound


class MailNotFound(NotFound):
    """404."""

    message = "There is no mail with this id."


class TemplateNotFound(NotFound):
    """404."""

    message = "There is no mail template of this name."


class ContentGone(InvalidState):
    """400: what was sent is not kept."""

    message = "The content of this mail is gone: what was sent, or is not wanted any more, is not kept."


class Expired(InvalidState):
    """400: it would be of no use."""

    message = "This mail has expired: what it says, such as a link or a code, does not hold any more."


class NotEnded(InvalidState):
    """400: it is on its way."""

    message = "This mail waits to be sent already."


class NotSent(InvalidState):
    """400: what was not sent can't have bounced."""

    message = "Only a mail that was sent can be reported as bounced."
