"""OAuth 2.0 with PKCE (RFC 6749, RFC 7636), as a provider would do it."""

import base64
import hashlib
import secrets
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.responses import Response

from grove_sandbox.banking.bank import Bank
from grove_sandbox.banking.routes import BankRoute
from grove_sandbox.banking.tokens import GrantRefused, Pair, RefreshTokenReused, Rotation, Tokens
from grove_sandbox.consent import consent_page
from grove_sandbox.world import World

pages = APIRouter(prefix="/oauth")
router = APIRouter(prefix="/oauth", route_class=BankRoute)


@pages.get("/authorize", response_class=HTMLResponse)
async def consent(request: Request) -> str:
    """The page that asks a customer for consent."""
    return page(request, "Sandbox Bank")


@pages.post("/authorize")
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
        return back(redirect_uri, error="invalid_request", state=state)
    if decision != "allow":
        return back(redirect_uri, error="access_denied", state=state)
    world: World = request.app.state.world
    code = _bank(request).tokens.code(world.customer(customer).name, redirect_uri, code_challenge)
    return back(redirect_uri, code=code, state=state)


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
    world, bank = request.app.state.world, _bank(request)
    world.calls[grant_type] = world.calls.get(grant_type, 0) + 1
    try:
        if grant_type == "authorization_code":
            return JSONResponse(_shown(_exchanged(bank, code, redirect_uri, code_verifier)))
        if grant_type == "refresh_token":
            return JSONResponse(_shown(refreshed(bank, bank.tokens, refresh_token, bank.conduct.rotation)))
    except GrantRefused as refusal:
        return invalid_grant(refusal.why)
    return JSONResponse({"error": "unsupported_grant_type"}, 400)


@router.post("/revoke")
async def revoke(request: Request, token: Annotated[str, Form()]) -> Response:
    """RFC 7009: what the same consent gave ends with the token."""
    if not _is_client(request):
        return JSONResponse({"error": "invalid_client"}, 401)
    _bank(request).tokens.revoke(token)
    return Response(status_code=200)


def page(request: Request, bank: str) -> str:
    """A page that asks for consent in the name of a bank, and posts to its own address."""
    asks = "Grove asks to read your accounts and transactions."
    return consent_page(bank, asks, fields=request.query_params)


def is_client(request: Request, client_id: str, secret: str) -> bool:
    """Whether the client proves by Basic that it is the one."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    expected = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return scheme.lower() == "basic" and secrets.compare_digest(value.encode(), expected.encode())


def refreshed(bank: Bank, tokens: Tokens, refresh_token: str, rotation: Rotation) -> Pair:
    """Fresh tokens, counted; so is a token that was used twice. Raises GrantRefused."""
    try:
        pair = tokens.refresh(refresh_token, rotation, bank.access_token_seconds)
    except RefreshTokenReused as theft:
        bank.counts.used_twice[theft.customer] += 1
        raise
    bank.counts.refreshes[pair.family.customer] += 1
    return pair


def invalid_grant(why: str | None) -> Response:
    """The refusal of a code or a refresh token."""
    return JSONResponse({"error": "invalid_grant"} | ({"error_description": why} if why else {}), 400)


def back(redirect_uri: str, **values: str) -> RedirectResponse:
    """To the client."""
    return RedirectResponse(f"{redirect_uri}?{urlencode(values)}", 303)


def _is_client(request: Request) -> bool:
    settings = request.app.state.settings
    return is_client(request, settings.client_id, settings.client_secret.get_secret_value())


def _exchanged(bank: Bank, code: str, redirect_uri: str, verifier: str) -> Pair:
    held = bank.tokens.take(code, redirect_uri)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    if not secrets.compare_digest(held.challenge, challenge):
        raise GrantRefused("PKCE")
    return bank.tokens.begin(held.customer, bank.access_token_seconds, bank.conduct.consent_seconds)


def _shown(pair: Pair) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "access_token": pair.access_token,
        "token_type": "Bearer",
        "expires_in": pair.seconds,
        "scope": "accounts transactions",
        "customer_id": pair.family.customer,
    }
    if pair.refresh_token is not None:
        shown["refresh_token"] = pair.refresh_token
    if pair.family.ends_at is not None:
        shown["consent_ends_at"] = pair.family.ends_at.isoformat()
    return shown


def _bank(request: Request) -> Bank:
    bank: Bank = request.app.state.bank
    return bank
