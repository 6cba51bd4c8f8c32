"""The one renderer of errors: Grove's format by default, RFC 9457 for who asks for problem+json."""

import http
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from grove.core.context import current_context
from grove.core.errors import GroveError, ServiceUnavailable

log = structlog.get_logger()

Unavailable = Callable[[BaseException], bool]
"""Whether an error means that trying again in a moment can help."""
PROBLEM = "application/problem+json"
BY_STATUS = {
    400: "BAD_REQUEST",
    401: "AUTH_REQUIRED",
    403: "FORBIDDEN",
    404: "RESOURCE_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    426: "UPGRADE_REQUIRED",
}


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str
    message: str
    details: list[dict[str, Any]]


class ErrorAnswer(BaseModel):
    """The body of every error."""

    success: bool = False
    error: ErrorBody
    request_id: str


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the errors it can answer with."""
    return {
        status: {"model": ErrorAnswer, "description": http.HTTPStatus(status).phrase}
        for status in sorted({*statuses, 400, 401, 403, 413, 422, 429, 503})
    }


def render(request: HTTPConnection, error: GroveError) -> JSONResponse:
    """The response for `error`, in the format the client accepts; what refuses a WebSocket too."""
    context = current_context()
    request_id = context.request_id if context else ""
    headers = (context.response_headers if context else {}) | error.headers | {"Cache-Control": "no-store"}
    if PROBLEM in request.headers.get("accept", ""):
        problem = {
            "type": f"urn:grove:error:{error.code.lower()}",
            "title": http.HTTPStatus(error.status).phrase,
            "status": error.status,
            "detail": error.message,
            "instance": request.url.path,
            "code": error.code,
            "errors": error.details,
            "request_id": request_id,
        }
        return JSONResponse(problem, error.status, headers, media_type=PROBLEM)
    body = ErrorAnswer(
        error=ErrorBody(code=error.code, message=error.message, details=error.details), request_id=request_id
    )
    return JSONResponse(body.model_dump(), error.status, headers)


def install(app: FastAPI, *, unavailable: Unavailable = lambda _: False) -> None:
    """Have `app` render every error; those that `unavailable` says can pass by themselves become 503."""

    async def on_grove(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, GroveError)  # noqa: S101 - registered for this class
        return render(request, error)

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
        return render(request, from_status(error.status_code, error.headers, str(error.detail)))

    async def on_invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
        return render(request, invalid(error))

    async def on_unknown(request: HTTPConnection, error: Exception) -> JSONResponse:
        if unavailable(error):
            log.error("store.unavailable", error=str(error)[:500])
            return render(request, ServiceUnavailable())
        log.error("request.failed", exc_info=error)
        return render(request, GroveError())

    app.add_exception_handler(GroveError, on_grove)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.state.on_unknown_error = on_unknown
    app.router.default = _nothing_here


async def _nothing_here(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Of WebSockets too, which Starlette would refuse without a word."""
    raise HTTPException(404)


def from_status(status: int, headers: Mapping[str, str] | None = None, detail: str = "") -> GroveError:
    """A GroveError for a bare HTTP status."""
    phrase = http.HTTPStatus(status).phrase
    messages = {404: "There is nothing here.", 405: "This path does not take this method."}
    error = GroveError(
        messages.get(status) or (detail if detail and detail != phrase else f"{phrase}."), headers=headers
    )
    error.status = status
    error.code = BY_STATUS.get(status, "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR")
    return error


def invalid(error: RequestValidationError) -> GroveError:
    """422 with one detail for each wrong field; what was sent is not repeated."""
    answer = GroveError("The request is not valid.", details=details_of(error))
    answer.status, answer.code = 422, "VALIDATION_ERROR"
    return answer


def details_of(error: RequestValidationError | ValidationError, *at: str) -> list[dict[str, Any]]:
    """One detail for each wrong field, which lies at this place of the request."""
    return [
        {
            "field": ".".join(str(part) for part in (*at, *item["loc"])),
            "message": str(item["msg"]).removeprefix("Value error, "),
            "type": item["type"],
        }
        for item in error.errors()
    ]
