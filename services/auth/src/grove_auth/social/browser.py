"""The key in a browser's cookie: it binds a sign-in to the browser that began it.

PKCE verifier and nonce are derived from it and from the state: neither the provider, nor who reads the state in an
address, nor a dump of the database can finish the sign-in.
"""

import base64
import hashlib
import re

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fastapi import Request, Response

from grove_auth.one_time_tokens import new_token

COOKIE = "__Host-grove_oauth"
FLOW_SECONDS = 600
_KEY = re.compile(r"^[\w-]{43}$", re.ASCII)


def key_of(request: Request) -> str | None:
    """The browser's key, if it has one."""
    found = request.cookies.get(COOKIE, "")
    return found if _KEY.match(found) else None


def remember(response: Response, key: str) -> None:
    """Give the browser its key, or longer time with it: sign-ins in several tabs share it.

    Not `Strict`, because the browser comes back from another site.
    """
    response.set_cookie(COOKIE, key, max_age=FLOW_SECONDS, secure=True, httponly=True, samesite="lax")


def new_key() -> str:
    """A key for a browser without one."""
    return new_token()


def verifier(key: str, state: str) -> str:
    """The PKCE code verifier (RFC 7636) of a sign-in."""
    return _derived(key, state, "pkce")


def nonce(key: str, state: str) -> str:
    """The nonce of a sign-in's ID token."""
    return _derived(key, state, "nonce")


def challenge(of_verifier: str) -> str:
    """S256."""
    return _text(hashlib.sha256(of_verifier.encode()).digest())


def _derived(key: str, state: str, purpose: str) -> str:
    return _text(HKDF(SHA256(), 32, salt=state.encode(), info=f"grove oauth {purpose}".encode()).derive(key.encode()))


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
