"""Why somebody does not see the operators' pages."""

from grove.core.errors import Forbidden, Unauthorized


class SignInNeeded(Unauthorized):
    """Nobody is signed in, or not any more: the browser is sent to the sign-in page."""


class NotAnOperator(Forbidden):
    """403: signed in, without the permission."""

    message = "Your account may not see the operators' pages: it lacks the permission ops:view."


class ForeignOrigin(Forbidden):
    """403: a page elsewhere tried to change who is signed in here."""

    code = "CSRF_FAILED"
    message = "Only the portal's own pages may do this."
