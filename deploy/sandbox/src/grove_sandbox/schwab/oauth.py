"""Schwab's OAuth: no PKCE, and a refresh token that stays the same and ends seven days after the sign-in."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.responses import Response

from grove_sandbox.banking.bank import Bank
from grove_sandbox.banking.oauth import back, is_client, page, refreshed
from grove_sandbox.banking.routes import BankRoute
from grove_sandbox.banking.tokens import GrantRefused, Pair
from grove_sandbox.world import World

CONSENT_SECONDS = 7 * 24 * 3600

pages = APIRouter(prefix="/schwab/v1/oauth")
router = APIRouter(prefix="/schwab/v1/oauth", route_class=BankRoute)


@pages.get("/authorize", response_class=HTMLResponse)
async def consent(request: Request) -> str:
    """The page that asks a customer for consent."""
    return page(request, "Schwab (sandbox)")


@pages.post("/authorize")
async def decide(
    request: Request,
    client_id: Annotated[str, Form()],
    redirect_uri: Annotated[str, Form()],
    response_type: Annotated[str, Form()],
    state: Annotated[str, Form()] = "",
    decision: Annotated[str, Form()] = "allow",
    customer: Annotated[str, Form()] = "demo",
) -> Response:
    """The customer's decision: back to the client, with a code or an error."""
    if client_id != request.app.state.settings.schwab_client_id or response_type != "code":
        return JSONResponse({"error": "invalid_request"}, 400)
    if decision != "allow":
        return back(redirect_uri, error="access_denied", state=state)
    world, bank = _parts(request)
    return back(redirect_uri, code=bank.schwab.code(world.customer(customer).name, redirect_uri), state=state)


@router.post("/token")
async def token(
    request: Request,
    grant_type: Annotated[str, Form()],
    code: Annotated[str, Form()] = "",
    redirect_uri: Annotated[str, Form()] = "",
    refresh_token: Annotated[str, Form()] = "",
) -> Response:
    """Codes and refresh tokens for access tokens."""
    settings, (_, bank) = request.app.state.settings, _parts(request)
    if not is_client(request, settings.schwab_client_id, settings.schwab_client_secret.get_secret_value()):
        return JSONResponse({"error": "invalid_client", "error_description": "Unauthorized"}, 401)
    try:
        if grant_type == "authorization_code":
            customer = bank.schwab.take(code, redirect_uri).customer
            consent_seconds = bank.conduct.consent_seconds or CONSENT_SECONDS
            return _shown(bank.schwab.begin(customer, bank.access_token_seconds, consent_seconds))
        if grant_type == "refresh_token":
            return _shown(refreshed(bank, bank.schwab, refresh_token, "same"))
    except GrantRefused:
        return _refusal(grant_type)
    return JSONResponse({"error": "unsupported_grant_type"}, 400)


def _shown(pair: Pair) -> Response:
    shown: dict[str, Any] = {
        "expires_in": pair.seconds,
        "token_type": "Bearer",
        "scope": "api",
        "refresh_token": pair.refresh_token,
        "access_token": pair.access_token,
        "id_token": "none",
    }
    return JSONResponse(shown)


def _refusal(grant_type: str) -> Response:
    """As Schwab words it: a dead refresh token is a type that it does not support."""
    if grant_type == "authorization_code":
        return JSONResponse({"error": "invalid_grant", "error_description": "Bad authorization code"}, 400)
    inner = '{"error_description":"Failed refresh token authentication","error":"refresh_token_authentication_error"}'
    return JSONResponse({"error": "unsupported_token_type", "error_description": f"400 Bad Request: {inner}"}, 400)


def _parts(request: Request) -> tuple[World, Bank]:
    return request.app.state.world, request.app.state.bank
