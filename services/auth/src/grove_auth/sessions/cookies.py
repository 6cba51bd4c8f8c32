"""Cookie mode, for browsers: the refresh token where scripts can't read it.

A request that is signed by the cookie must come from an origin we know and bear the session's CSRF token twice: in the
header `X-CSRF-Token` and in a cookie (double submit); the session knows its hash, so no other session's will do.
"""

import secrets

from fastapi import Request, Response

from grove_auth.sessions.errors import CsrfFailed
from grove_auth.sessions.schemas import TokenPair
from grove_auth.sessions.tokens import SessionTokens
from grove_auth.settings import AuthSettings

REFRESH_COOKIE = "__Secure-grove_refresh"
CSRF_COOKIE = "__Host-grove_csrf"
CSRF_HEADER = "X-CSRF-Token"
PATH = "/api/v1/auth"


def answer(response: Response, tokens: SessionTokens) -> TokenPair:
    """The body for `tokens`; in cookie mode the refresh token goes into `response`'s cookie instead."""
    pair = TokenPair(**tokens.model_dump(exclude={"cookie"}))
    if not tokens.cookie or tokens.refresh_token is None:
        return pair
    response.set_cookie(
        REFRESH_COOKIE,
        tokens.refresh_token,
        max_age=tokens.refresh_expires_in,
        path=PATH,
        secure=True,
        httponly=True,
        samesite="strict",
    )
    if tokens.csrf_token is not None:
        response.set_cookie(
            CSRF_COOKIE, tokens.csrf_token, max_age=tokens.refresh_expires_in, secure=True, samesite="strict"
        )
    return pair.model_copy(update={"refresh_token": None})


def forget(request: Request, response: Response) -> None:
    """Have the browser forget the session, if it has one."""
    if REFRESH_COOKIE in request.cookies:
        response.delete_cookie(REFRESH_COOKIE, path=PATH, secure=True, httponly=True, samesite="strict")
        response.delete_cookie(CSRF_COOKIE, secure=True, samesite="strict")


def refresh_token(request: Request, settings: AuthSettings) -> tuple[str, str] | None:
    """The cookie's refresh token and the CSRF token sent with it; None without a cookie. Raises CsrfFailed."""
    token = request.cookies.get(REFRESH_COOKIE)
    if token is None:
        return None
    known = {settings.public_url, settings.public_auth_url, *settings.cors_origins}
    if request.headers.get("origin") not in known:
        raise CsrfFailed("The request's Origin may not use this cookie. Add it to CORS_ORIGINS if it is yours.")
    sent, kept = request.headers.get(CSRF_HEADER, ""), request.cookies.get(CSRF_COOKIE, "")
    if not sent or not secrets.compare_digest(sent.encode(), kept.encode()):
        raise CsrfFailed
    return token, sent
