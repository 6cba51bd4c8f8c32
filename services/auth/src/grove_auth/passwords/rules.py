"""What makes a password acceptable (NIST SP 800-63B-4 section 3.1.1.2): length, blocklist, strength."""

import re
import unicodedata
from typing import Annotated

from pydantic import Field
from zxcvbn import zxcvbn

from grove.core.errors import Invalid
from grove_auth.passwords import blocklist
from grove_auth.settings import AuthSettings

MAX_LENGTH = 128
LEAST_WORD = 4
"""Shorter words of the context stand in too many good passwords."""
LEAST_REST = 4
"""Letters that a password needs beside the words of its context."""
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
    if classes(text) < settings.password_require_classes:
        kinds = "small letters, capital letters, digits and other characters"
        raise weak(f"must have {settings.password_require_classes} of these: {kinds}", field)
    if blocklist.is_listed(text, settings.password_blocklist_file):
        raise weak("is one of the passwords that are tried first; choose another", field)
    words = context_words(about, settings)
    if is_of_context(text, words):
        raise weak("is made of your name, your address or the name of this service", field)
    found = zxcvbn(text[:SCORED_CHARACTERS], user_inputs=[*filter(None, about), *words])
    if found["score"] < settings.password_min_score:
        advice = found["feedback"]["warning"] or "It is too easy to guess."
        raise weak(f"is too easy to guess: {advice} A few unrelated words make a good one.", field)


def classes(text: str) -> int:
    """How many kinds of characters there are: small letters, capital letters, digits, others."""
    kinds = (str.islower, str.isupper, str.isdigit, lambda c: not (c.islower() or c.isupper() or c.isdigit()))
    return sum(any(kind(character) for character in text) for kind in kinds)


def context_words(about: tuple[str, ...], settings: AuthSettings) -> list[str]:
    """Words that anybody would try here: of the person's name and address, and of the service's name."""
    found = {
        word
        for text in (*about, *settings.password_context_words)
        for word in re.split(r"[\W\d_]+", blocklist.folded(text))
        if len(word) >= LEAST_WORD
    }
    return sorted(found, key=lambda word: (-len(word), word))


def is_of_context(text: str, words: list[str]) -> bool:
    """Whether the password has such a word, and hardly any letters beside."""
    whole = rest = blocklist.folded(text)
    for word in words:
        rest = rest.replace(word, " ")
    return _letters(rest) < min(LEAST_REST, _letters(whole))


def _letters(text: str) -> int:
    return sum(character.isalpha() for character in text)


def weak(message: str, field: str) -> WeakPassword:
    """What is wrong with the password in the body's `field`."""
    return WeakPassword(details=[{"field": f"body.{field}", "message": message, "type": "weak_password"}])
