"""Errors as GraphQL tells them: with the code, status and details of REST in `extensions`."""

import re
from collections.abc import Sequence
from typing import Any

import structlog
from graphql import GraphQLError

from grove.core.context import current_context
from grove.core.errors import BadRequest, GroveError, ServiceUnavailable
from grove.postgres.engine import is_lost, is_unavailable
from grove_resource.graphql.names import in_graphql

log = structlog.get_logger()

_SUGGESTION = re.compile(r" Did you mean [^?]*\?")
_MAX_MESSAGE = 500
_TAKEN_BACK = "Nothing was changed, because of an error that may pass. Repeat this with the same Idempotency-Key."


class NotAcceptable(GroveError):
    """406: the client takes none of the media types that there are."""

    status = 406
    code = "NOT_ACCEPTABLE"
    message = "Accept application/graphql-response+json or application/json."


class AnswerTooLarge(BadRequest):
    """400: more would be read and answered than one operation may."""

    message = "This would read and answer more than 8 MiB. Ask for fewer fields or rows."


class Refused(Exception):
    """The request is not executed, for these reasons."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


def told(error: GraphQLError, *, suggestions: bool) -> dict[str, Any]:
    """The error for the client. What is unknown is logged, and not told.

    Raises the error that means a lost database: then the whole request fails.
    """
    cause = _cause(error)
    if cause is None:
        message = error.message if suggestions else _SUGGESTION.sub("", error.message)
        cause = BadRequest(message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}…")
    elif is_lost(cause):
        raise cause
    elif is_unavailable(cause):
        cause = ServiceUnavailable()
    elif not isinstance(cause, GroveError):
        log.error("graphql.unknown_error", path=error.path, exc_info=cause)
        cause = GroveError()
    answer = {key: value for key, value in error.formatted.items() if key in {"locations", "path"}}
    return {"message": cause.message, **answer, "extensions": _extensions(cause)}


def reasons(data: Any, errors: Sequence[GraphQLError]) -> Sequence[GraphQLError]:
    """Why the whole request is refused, if it is: nothing could be executed, or the answer would be too large."""
    if data is None and all(error.path is None for error in errors):
        return errors
    return [error for error in errors if isinstance(_cause(error), AnswerTooLarge)][:1]


def passing(errors: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """What a client is told of the whole of a request that it can repeat, if one of its errors (as told) may pass."""
    for error in errors:
        status = error["extensions"]["status"]
        if status in {409, 429} or status >= 500:
            return {"message": _TAKEN_BACK, "extensions": error["extensions"] | {"details": []}}
    return None


def _cause(error: GraphQLError) -> Exception | None:
    """What a resolver raised; None when the document or its variables are wrong."""
    cause: Exception | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    unusable = error.path is None and isinstance(cause, ValueError)  # what a scalar says of a value in the request
    return None if unusable else cause


def _extensions(error: GroveError) -> dict[str, Any]:
    context = current_context()
    found = {
        "code": error.code,
        "status": error.status,
        "details": [
            detail | {"field": in_graphql(detail["field"])} if "field" in detail else detail for detail in error.details
        ],
        "request_id": context.request_id if context else "",
    }
    if "Retry-After" in error.headers:
        found["retry_after"] = int(error.headers["Retry-After"])
    return found
