"""What can go wrong at sign-in."""

from grove.core.errors import Forbidden, NotFound, Unauthorized


class InvalidCredentials(Unauthorized):
    """401: the same for unknown, wrong and locked."""

    code = "INVALID_CREDENTIALS"
    message = "The address or the password is wrong."
    challenge = 'Bearer realm="grove"'


class EmailNotVerified(Forbidden):
    """403, only after a right password."""

    code = "EMAIL_NOT_VERIFIED"
    message = "Open the link in the mail we sent you first, or ask for a new one."


class AccountBlocked(Forbidden):
    """403, only after a right password."""

    code = "ACCOUNT_BLOCKED"
    message = "This account is blocked. Write to those who run this service."


class PasswordExpired(Forbidden):
    """403, only after a right password: it counts no more until it is reset by mail."""

    code = "PASSWORD_EXPIRED"
    message = "Set a new password first: ask for a mail that resets it."


class InvalidRefreshToken(Unauthorized):
    """401: unknown, expired, ended or used before."""

    code = "INVALID_TOKEN"
    message = "The refresh token is not valid. Sign in again."
    challenge = 'Bearer realm="grove", error="invalid_token"'


class CsrfFailed(Forbidden):
    """403: the request was not shown to come from the page that holds the session."""

    code = "CSRF_FAILED"
    message = "Send the session's CSRF token in the header X-CSRF-Token, beside its cookie."


class SessionNotFound(NotFound):
    """404."""

    message = "There is no session with this id."
