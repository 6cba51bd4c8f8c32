"""The answer to a refresh, kept for its grace window so that only the holder of the rotated token can read it."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def seal(answer: str, parent_token: str) -> bytes:
    """Encrypt `answer` under a key derived from the token (HKDF, RFC 5869)."""
    nonce = os.urandom(12)
    return nonce + AESGCM(_key(parent_token)).encrypt(nonce, answer.encode(), None)


def open_sealed(sealed: bytes, parent_token: str) -> str | None:
    """The answer, None when the token is another one."""
    try:
        return AESGCM(_key(parent_token)).decrypt(sealed[:12], sealed[12:], None).decode()
    except InvalidTag:
        return None


def _key(token: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"grove refresh replay").derive(token.encode())
