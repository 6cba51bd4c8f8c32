"""OAuth 2.0 with PKCE (RFC 6749, RFC 7636), as a provider would do it."""

import base64
import hashlib
import html
import secrets
import time
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.responses import Response

from grove_sandbox.world import Grant, World

router = APIRouter(prefix="/oauth")

CODE_SECONDS = 60


@router.get("/authorize", response_class=HTMLResponse)
async def consent(request: Request) -> str:
    """The page that asks a customer for consent."""
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in request.query_params.items()
    )
    return (
        "<!doctype html><title>Sandbox Bank</title><body style='font-family:system-ui;margin:4rem auto'>"
        "<h1>Sandbox Bank</h1><p>Grove asks to read your accounts and transactions.</p>"
        f"<form method='post'>{fields}<label>Customer <input name='customer' value='demo'></label> "
        "<button name='decision' value='allow'>Allow</button> <button name='decision' value='deny'>Deny</button></form>"
    )


@router.post("/authorize")
async def decide(
    request: Request,
    client_id: Annotated[str, Form()],
    redirect_uri: Annotated[str, Form()],
    state: Annotated[str, Form()],
    code_challenge: Annotated[str, Form()],
    code_challenge_method: Annotated[str, Form()],
    response_type: Annotated[str, Form()],
    decision: Annotated[str, Form()] = "allow",
    customer: Annotated[str, Form()] = "demo",
    scope: Annotated[str, Form()] = "",
) -> Response:
    """The customer's decision: back to the client, with a code or an error."""
    if client_id != request.app.state.settings.client_id or response_type != "code":
        return JSONResponse({"error": "invalid_request"}, 400)
    if code_challenge_method != "S256" or not scope:
        return _back(redirect_uri, error="invalid_request", state=state)
    if decision != "allow":
        return _back(redirect_uri, error="access_denied", state=state)
    code = secrets.token_urlsafe(24)
    world: World = request.app.state.world
    world.customer(customer)
    world.codes[code] = Grant(customer, code_challenge, redirect_uri, time.time() + CODE_SECONDS)
    return _back(redirect_uri, code=code, state=state)


@router.post("/token")
async def token(
    request: Request,
    grant_type: Annotated[str, Form()],
    code: Annotated[str, Form()] = "",
    redirect_uri: Annotated[str, Form()] = "",
    code_verifier: Annotated[str, Form()] = "",
    refresh_token: Annotated[str, Form()] = "",
) -> Response:
    """Codes and refresh tokens for token pairs."""
    if not _is_client(request):
        return JSONResponse({"error": "invalid_client"}, 401, {"WWW-Authenticate": "Basic"})
    world: World = request.app.state.world
    world.calls[grant_type] = world.calls.get(grant_type, 0) + 1
    if grant_type == "authorization_code":
        grant = world.codes.pop(code, None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).decode().rstrip("=")
        if grant is None or grant.expires < time.time() or grant.redirect_uri != redirect_uri:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if not secrets.compare_digest(grant.challenge, challenge):
            return JSONResponse({"error": "invalid_grant", "error_description": "PKCE"}, 400)
        return JSONResponse(world.issue_tokens(grant.customer))
    if grant_type == "refresh_token":
        pair = world.refresh(refresh_token)
        return JSONResponse(pair) if pair else JSONResponse({"error": "invalid_grant"}, 400)
    return JSONResponse({"error": "unsupported_grant_type"}, 400)


@router.post("/revoke")
async def revoke(request: Request, token: Annotated[str, Form()]) -> Response:
    """RFC 7009."""
    if not _is_client(request):
        return JSONResponse({"error": "invalid_client"}, 401)
    world: World = request.app.state.world
    customer = world.refresh_tokens.get(token) or world.access_tokens.get(token, ("", 0))[0]
    world.revoke_all(customer)
    return Response(status_code=200)


def _is_client(request: Request) -> bool:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    settings = request.app.state.settings
    expected = base64.b64encode(f"{settings.client_id}:{settings.client_secret.get_secret_value()}".encode()).decode()
    return scheme.lower() == "basic" and secrets.compare_digest(value, expected)


def _back(redirect_uri: str, **values: str) -> RedirectResponse:
    return RedirectResponse(f"{redirect_uri}?{urlencode(values)}", 303)
