"""Random tokens: 256 bits, given out once; only their SHA-256 is stored."""

import hashlib
import secrets


def new_token() -> str:
    """A token for a link or a refresh, URL-safe."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored. A 256-bit random value needs no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()
