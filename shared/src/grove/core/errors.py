"""Domain errors. Each carries the HTTP status and public code it is rendered with at the edge of the app."""

from collections.abc import Mapping, Sequence
from typing import Any


class GroveError(Exception):
    """An error a client may see.

    Subclasses set `status`, `code` and `message`; `details` and `headers` are added where they help.
    """

    status = 500
    code = "INTERNAL_ERROR"
    message = "Something went wrong on our side. Quote the request id when you report it."

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or self.message)
        self.message = message or self.message
        self.details = [dict(detail) for detail in details]
        self.headers = dict(headers or {})


class BadRequest(GroveError):
    """400: the request can't be understood."""

    status = 400
    code = "BAD_REQUEST"
    message = "The request is not valid."


class InvalidState(GroveError):
    """400: what is asked does not fit the resource's present state."""

    status = 400
    code = "INVALID_STATE"
    message = "The resource is not in a state that allows this."


class Unauthorized(GroveError):
    """401, with the challenge of RFC 6750 section 3."""

    status = 401
    code = "AUTH_REQUIRED"
    message = "Sign in first: send an access token as `Authorization: Bearer <token>`."
    challenge = 'Bearer realm="grove"'

    def __init__(self, message: str | None = None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.headers.setdefault("WWW-Authenticate", self.challenge)


class InvalidToken(Unauthorized):
    """401: the token is malformed, expired or revoked."""

    code = "INVALID_TOKEN"
    message = "The access token is not valid. Refresh it or sign in again."
    challenge = 'Bearer realm="grove", error="invalid_token"'


class ReauthRequired(Unauthorized):
    """401: the sign-in is too long ago for this, with the challenge of RFC 9470 section 3."""

    code = "REAUTH_REQUIRED"
    message = "Confirm that it is you: sign in again, then repeat the request."

    def __init__(self, max_age: int) -> None:
        """`max_age`: how old a sign-in may be, in seconds."""
        challenge = f'Bearer realm="grove", error="insufficient_user_authentication", max_age="{max_age}"'
        super().__init__(headers={"WWW-Authenticate": challenge})


class Forbidden(GroveError):
    """403."""

    status = 403
    code = "FORBIDDEN"
    message = "You may not do this."


class NotFound(GroveError):
    """404."""

    status = 404
    code = "RESOURCE_NOT_FOUND"
    message = "There is nothing here."


class Conflict(GroveError):
    """409."""

    status = 409
    code = "CONFLICT"
    message = "This conflicts with the present state."


class Gone(GroveError):
    """410: a one-time token that was used or has expired."""

    status = 410
    code = "GONE"
    message = "This link was used or has expired. Ask for a new one."


class PreconditionFailed(GroveError):
    """412: the resource changed since the ETag in `If-Match` (RFC 9110 section 13.1.1)."""

    status = 412
    code = "PRECONDITION_FAILED"
    message = "The resource has changed since you read it. Read it again and repeat the change."


class PayloadTooLarge(GroveError):
    """413."""

    status = 413
    code = "PAYLOAD_TOO_LARGE"
    message = "The request body is too large."


class UnsupportedMedia(GroveError):
    """415."""

    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"
    message = "This kind of content is not taken here."


class Invalid(GroveError):
    """422: the request is well-formed, a value in it is not acceptable."""

    status = 422
    code = "VALIDATION_ERROR"
    message = "The request is not valid."


class RateLimited(GroveError):
    """429. `retry_after` in whole seconds."""

    status = 429
    code = "RATE_LIMITED"
    message = "Too many requests. Wait for the seconds in Retry-After."

    def __init__(self, retry_after: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.headers["Retry-After"] = str(max(1, retry_after))


class UpstreamError(GroveError):
    """502: a system outside Grove answered with an error."""

    status = 502
    code = "UPSTREAM_ERROR"
    message = "A system this depends on answered with an error. Try again later."


class ServiceUnavailable(GroveError):
    """503. `retry_after` in whole seconds."""

    status = 503
    code = "SERVICE_UNAVAILABLE"
    message = "This is not available right now. Try again in a moment."

    def __init__(self, message: str | None = None, *, retry_after: int = 1, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.headers["Retry-After"] = str(retry_after)


class UpstreamTimeout(GroveError):
    """504."""

    status = 504
    code = "UPSTREAM_TIMEOUT"
    message = "A system this depends on did not answer in time. Try again later."
