"""Errors as pages, for people; programs get them in Grove's format."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from grove.core.errors import GroveError
from grove_gateway.pages.rendering import page

Answering = Callable[[Request, Exception], Awaitable[Response]]
TITLES = {404: "There is nothing here", 422: "This address is not right"}
BROKEN = "This does not work right now"
INCOMPLETE = "Something in it is missing, or is not what this page takes. Go back to where you came from."


def install(app: FastAPI) -> None:
    """Show the errors of an app, which answers them already, as pages to browsers."""
    for kind in (GroveError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _shown(app.exception_handlers[kind]))


def _shown(answering: Callable[[Request, Exception], Any]) -> Answering:
    async def shown(request: Request, error: Exception) -> Response:
        answer: Response = await answering(request, error)
        return _page(request, answer) if _is_for_a_person(request) else answer

    return shown


def _is_for_a_person(request: Request) -> bool:
    return request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("accept", "")


def _page(request: Request, answer: Response) -> Response:
    status = answer.status_code
    shown = page(
        "problem.html",
        request.app.state.resources.settings,
        status=status,
        title=TITLES.get(status) or (BROKEN if status >= 500 else HTTPStatus(status).phrase),
        message=INCOMPLETE if status == 422 else json.loads(bytes(answer.body))["error"]["message"],
        may_pass=status >= 500 or status == 429,
    )
    kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
    shown.headers.update(kept)
    shown.headers["Vary"] = "Accept"
    return shown
