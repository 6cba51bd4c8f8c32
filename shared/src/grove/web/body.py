"""Reading JSON bodies: bounded depth, no NUL, no lone surrogates; what is wrong is a 422, never a 500."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from grove.core.context import current_context
from grove.web.idempotency import remember_response

MAX_DEPTH = 64


class GroveRoute(APIRoute):
    """The route class of every router: strict JSON, responses remembered for Idempotency-Key, the context's route."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with these around it."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            context = current_context()
            if context is not None:
                context.route = self.path
            if is_json(request.headers.get("content-type", "")):
                check_json(await request.body())
            return await remember_response(request, handler)

        return handle


def is_json(content_type: str) -> bool:
    """Whether a body of this type is read as JSON, by FastAPI's rule."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def check_json(body: bytes) -> None:
    """Raises RequestValidationError for text that is no text, or nesting without end; syntax is checked later."""
    try:
        body.decode()
    except UnicodeDecodeError:
        raise _invalid("json_encoding", "JSON must be UTF-8") from None
    if b"\0" in body:  # in JSON nowhere; in UTF-16, which would be read as such, everywhere
        raise _invalid("json_encoding", "JSON must be UTF-8")
    if depth(body) > MAX_DEPTH:
        raise _invalid("json_depth", f"JSON may be nested {MAX_DEPTH} levels deep at most")
    if b"\\u0000" in body or b"\\ud" in body.lower():
        _check_text(body)


def depth(body: bytes) -> int:
    """How deeply `body`'s arrays and objects are nested; brackets inside strings don't count."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return 0
    deepest = level = 0
    in_string = escaped = False
    for char in body:
        if in_string:
            if escaped:
                escaped = False
            elif char == 0x5C:
                escaped = True
            elif char == 0x22:
                in_string = False
        elif char == 0x22:
            in_string = True
        elif char in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif char in b"]}":
            level -= 1
    return deepest


def _check_text(body: bytes) -> None:
    try:
        values = [json.loads(body)]
    except ValueError:
        return  # not JSON at all, which is told later
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            values += value
        elif isinstance(value, str):
            _check_string(value)


def _check_string(text: str) -> None:
    if "\0" in text:
        raise _invalid("json_nul", "NUL characters are not allowed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _invalid("json_surrogate", "half of a surrogate pair is not text") from None


def _invalid(kind: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("body",), "msg": message, "input": None}])
