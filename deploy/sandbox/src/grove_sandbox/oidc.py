"""OpenID Connect with PKCE, as an issuer would do it, but that everybody consents at once."""

import base64
import hashlib
import html
import secrets
import time
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.responses import Response

from grove_sandbox.issuer import CODE_SECONDS, Issuer, SignIn

router = APIRouter(prefix="/oidc")


@router.get("/.well-known/openid-configuration")
async def discovery(request: Request) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0."""
    url = _url(request)
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "userinfo_endpoint": f"{url}/userinfo",
        "jwks_uri": f"{url}/jwks",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


@router.get("/jwks")
async def jwks(request: Request) -> dict[str, Any]:
    """The public keys."""
    return _issuer(request).jwks()


@router.get("/authorize")
async def authorize(
    request: Request,
    client_id: str,
    redirect_uri: str,
    state: str,
    code_challenge: str,
    response_type: str = "",
    code_challenge_method: str = "",
    scope: str = "",
    nonce: str = "",
    login_hint: str = "",
    response_mode: str = "query",
) -> Response:
    """Back to the client at once, with a code for the person named by `login_hint`, or by control."""
    issuer = _issuer(request)
    if client_id != request.app.state.settings.sign_in_client_id or "openid" not in scope.split():
        return JSONResponse({"error": "invalid_request"}, 400)
    answer = {"state": state, "iss": _url(request)}
    if "issuer_of_answer" in issuer.conduct.wrong:
        answer["iss"] = "https://issuer.invalid"
    if issuer.conduct.deny:
        answer["error"] = "access_denied"
    elif response_type != "code" or code_challenge_method != "S256":
        answer["error"] = "invalid_request"
    else:
        login = login_hint or issuer.conduct.person
        expires = time.time() + CODE_SECONDS
        answer["code"] = issuer.code(SignIn(login, client_id, redirect_uri, code_challenge, nonce, expires))
    if response_mode == "form_post":
        return HTMLResponse(_form(redirect_uri, answer))
    return RedirectResponse(f"{redirect_uri}?{urlencode(answer)}", 303)


@router.post("/token")
async def token(
    request: Request,
    grant_type: Annotated[str, Form()],
    code: Annotated[str, Form()],
    redirect_uri: Annotated[str, Form()],
    code_verifier: Annotated[str, Form()] = "",
    client_id: Annotated[str, Form()] = "",
    client_secret: Annotated[str, Form()] = "",
) -> Response:
    """Codes for ID tokens."""
    settings, issuer = request.app.state.settings, _issuer(request)
    known = f"{settings.sign_in_client_id}:{settings.sign_in_client_secret.get_secret_value()}"
    if not secrets.compare_digest(_credentials(request) or f"{client_id}:{client_secret}", known):
        return JSONResponse({"error": "invalid_client"}, 401, {"WWW-Authenticate": "Basic"})
    if grant_type != "authorization_code":
        return JSONResponse({"error": "unsupported_grant_type"}, 400)
    sign_in = issuer.take(code)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).decode().rstrip("=")
    if sign_in is None or sign_in.redirect_uri != redirect_uri or sign_in.challenge != challenge:
        return JSONResponse({"error": "invalid_grant"}, 400)
    return JSONResponse(issuer.tokens(sign_in, _url(request), settings.sign_in_client_secret.get_secret_value()))


@router.get("/userinfo")
async def userinfo(request: Request) -> Response:
    """Claims about the person behind an access token."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    claims = _issuer(request).userinfo(value) if scheme.lower() == "bearer" else None
    if claims is None:
        return JSONResponse({"error": "invalid_token"}, 401, {"WWW-Authenticate": "Bearer"})
    return JSONResponse(claims)


def _credentials(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return base64.b64decode(value).decode() if scheme.lower() == "basic" else ""


def _form(redirect_uri: str, answer: dict[str, str]) -> str:
    """A page that posts the answer (OAuth 2.0 Form Post Response Mode)."""
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in answer.items()
    )
    return (
        '<!doctype html><html lang="en"><title>Back to the app</title><body onload="document.forms[0].submit()">'
        f'<form method="post" action="{html.escape(redirect_uri)}">{fields}</form>'
    )


def _url(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}/oidc"


def _issuer(request: Request) -> Issuer:
    issuer: Issuer = request.app.state.issuer
    return issuer
