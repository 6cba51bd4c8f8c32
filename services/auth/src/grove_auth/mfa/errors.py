"""What can go wrong with second factors."""

from collections.abc import Sequence

from grove.core.errors import Conflict, Forbidden, InvalidState, RateLimited, Unauthorized


class MfaRequired(Unauthorized):
    """401: the first factor was right, a second one is needed."""

    code = "MFA_REQUIRED"
    message = "A second factor is needed: send a code to /mfa/verify."

    def __init__(self, methods: Sequence[str], mfa_token: str | None = None) -> None:
        """Without `mfa_token`: the request is repeated with a code."""
        token = {"mfa_token": mfa_token} if mfa_token else {}
        message = None if mfa_token else "A second factor is needed: send `code` or `backup_code` too."
        super().__init__(message, details=[{"type": "mfa", **token, "methods": list(methods)}])


class InvalidMfaToken(Unauthorized):
    """401: unknown, expired, used, out of tries, or overtaken by a change of the account."""

    code = "INVALID_TOKEN"
    message = "The mfa_token is not valid any more. Sign in again."
    challenge = 'Bearer realm="grove", error="invalid_token"'


class WrongCode(Unauthorized):
    """401: the same for wrong, used and expired."""

    code = "INVALID_CREDENTIALS"
    message = "The code is wrong, was used before, or has expired."


class TooManyCodes(RateLimited):
    """429: too many wrong codes in a row, or too many codes sent."""

    message = "Too many codes. Wait for the seconds in Retry-After."


class MethodNotOffered(InvalidState):
    """400: this way is not on for the account, or not at all."""

    message = "This method is not on for your account."


class NothingPending(InvalidState):
    """400: there is nothing to confirm."""

    message = "There is nothing to confirm, or it has expired. Begin again."


class FactorsChanged(Conflict):
    """409."""

    message = "The second factors were changed by another request meanwhile. Try again."


class LastFactor(Forbidden):
    """403: the role of the account needs one."""

    message = "Your role needs a second factor. Add another before you remove this one."
