"""Every call to the bank is counted, may be refused, and meets the weather."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from grove_sandbox.banking.bank import Bank, throttled
from grove_sandbox.banking.cursors import pages_on

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class BankRoute(APIRoute):
    """A route of the bank, whether it plays itself or Schwab."""

    def get_route_handler(self) -> Handler:
        """The handler, within limits and weather."""
        answer, path = super().get_route_handler(), self.path_format

        async def within(request: Request) -> Response:
            bank: Bank = request.app.state.bank
            is_token = request.method == "POST"
            refusal = bank.admit(path, await _caller(request, bank))
            if refusal is not None:
                return refusal
            trouble = None
            if request.method == "GET" or await _is_refresh(request):
                trouble = bank.trouble(token=is_token, pages_on=pages_on(request.query_params.get("cursor")))
            return await _under(trouble, request, bank, answer)

        return within


class CutResponse(Response):
    """A response whose connection ends in the middle of its body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Promise the whole body, send half; the server closes a connection whose promise is not kept."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})


async def _under(trouble: str | None, request: Request, bank: Bank, answer: Handler) -> Response:
    if trouble in {"unavailable", "token_unavailable"}:
        headers = {"Retry-After": "1"} if bank.chance.random() < 0.5 else None
        return JSONResponse({"error": "unavailable"}, 503, headers)
    if trouble == "throttled":
        return throttled("all" if bank.chance.random() < 0.5 else "customer")
    if trouble == "moved":
        return JSONResponse({"error": "history_changed"}, 409)
    closes = trouble == "dropped"
    if trouble == "hangs":
        closes = bank.chance.random() < 0.5
        await asyncio.sleep(bank.conduct.hang_seconds)
    response = await answer(request)
    if closes:
        return CutResponse(response.body, response.status_code, media_type=response.media_type)
    if trouble == "garbled" and response.status_code == 200:
        return Response(bytes(response.body[: len(response.body) // 2]), 200, media_type=response.media_type)
    return response


async def _caller(request: Request, bank: Bank) -> str | None:
    """The customer whose token or code the call bears."""
    tokens = bank.schwab if request.url.path.startswith("/schwab/") else bank.tokens
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return tokens.customer_behind(bearer)
    form = await request.form()
    for name in ("refresh_token", "code", "token"):
        if isinstance(value := form.get(name), str) and (found := tokens.customer_behind(value)) is not None:
            return found
    return None


async def _is_refresh(request: Request) -> bool:
    return (await request.form()).get("grant_type") == "refresh_token"
