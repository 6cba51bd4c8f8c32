"""Proof of work (ALTCHA): challenges are signed, not stored; their keys are derived from the signing key ring."""

import secrets
from datetime import datetime

import altcha
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALGORITHM = "PBKDF2/SHA-256"
ITERATIONS = 1000
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def challenge(ring: str, difficulty: int, until: datetime) -> altcha.Challenge:
    """A challenge that takes half of `difficulty` derivations at least, and `difficulty` at most."""
    newest = ring.splitlines()[0]
    return altcha.create_challenge(
        ALGORITHM,
        ITERATIONS,
        counter=difficulty // 2 + secrets.randbelow(difficulty // 2),
        expires_at=until,
        hmac_secret=_key(newest, "challenge"),
        hmac_key_secret=_key(newest, "solution"),
    )


def solved(solution: str, ring: str) -> str | None:
    """The nonce of the challenge that this solves; None when it solves none of ours, or comes too late."""
    try:
        payload = altcha.Payload.from_base64(solution)
    except MALFORMED:
        return None
    if not payload.challenge.parameters.expires_at or not payload.challenge.parameters.key_signature:
        return None
    for line in ring.splitlines():  # a challenge lives on when the ring gets a new key
        checked = altcha.verify_solution(payload, _key(line, "challenge"), hmac_key_secret=_key(line, "solution"))
        if checked.verified:
            return payload.challenge.parameters.nonce
    return None


def _key(line: str, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"grove captcha {purpose}".encode()).derive(line.strip().encode())
