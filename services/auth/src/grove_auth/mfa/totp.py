"""Codes of authenticator apps (RFC 6238): six digits, a step of 30 seconds, SHA-1 as every app knows it."""

import io
import secrets
from datetime import datetime

import pyotp
import segno

STEP_SECONDS = 30
DRIFT = 1
"""Steps that a clock may be off, either way."""
DIGITS = 6


def new_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32(32)


def uri(secret: str, *, account: str, issuer: str) -> str:
    """What the QR code says."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def qr_svg(text: str) -> str:
    """The QR code as an SVG document."""
    out = io.BytesIO()
    segno.make(text, error="m").save(out, kind="svg", scale=5, xmldecl=False)
    return out.getvalue().decode()


def step_of(secret: str, code: str, moment: datetime, *, after: int) -> int | None:
    """The time step that `code` belongs to; None when it is wrong, too old, or not later than the step `after`."""
    generator, present = pyotp.TOTP(secret), int(moment.timestamp()) // STEP_SECONDS
    found = None
    for step in range(present - DRIFT, present + DRIFT + 1):
        right = secrets.compare_digest(generator.generate_otp(step), code)
        if right and step > after:
            found = step
    return found
