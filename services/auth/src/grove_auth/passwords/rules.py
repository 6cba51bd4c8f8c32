"""What makes a password acceptable (NIST SP 800-63B-4 section 3.1.1.2): length and strength, no classes."""

import unicodedata
from typing import Annotated

from pydantic import Field
from zxcvbn import zxcvbn

from grove.core.errors import Invalid
from grove_auth.settings import AuthSettings

MAX_LENGTH = 128
SCORED_CHARACTERS = 40  # zxcvbn's time grows steeply with length; what is longer is strong enough by length

Password = Annotated[str, Field(min_length=1, max_length=4 * MAX_LENGTH, json_schema_extra={"format": "password"})]


class WeakPassword(Invalid):
    """422: the password is not acceptable."""

    message = "Choose another password."


def normalised(password: str) -> str:
    """NFKC, so that the same password typed on another keyboard is the same."""
    return unicodedata.normalize("NFKC", password)


def check(password: str, settings: AuthSettings, *, about: tuple[str, ...], field: str = "password") -> None:
    """Raises WeakPassword, for the body's `field`, with what to do. Slow: run it in the password pool."""
    text = normalised(password)
    if len(text) < settings.password_min_length:
        raise weak(f"must have at least {settings.password_min_length} characters", field)
    if len(text) > MAX_LENGTH:
        raise weak(f"must have at most {MAX_LENGTH} characters", field)
    found = zxcvbn(text[:SCORED_CHARACTERS], user_inputs=[word for word in about if word])
    if found["score"] < settings.password_min_score:
        advice = found["feedback"]["warning"] or "It is too easy to guess."
        raise weak(f"is too easy to guess: {advice} A few unrelated words make a good one.", field)


def weak(message: str, field: str) -> WeakPassword:
    """What is wrong with the password in the body's `field`."""
    return WeakPassword(details=[{"field": f"body.{field}", "message": message, "type": "weak_password"}])
