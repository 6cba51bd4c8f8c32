"""Text that people write: names and titles are NFC, without control or bidirectional-override characters."""

import unicodedata
from collections.abc import Callable
from typing import Any

from pydantic import BeforeValidator

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_line(text: str) -> str:
    """NFC of `text`, refused when it has a control or bidirectional-override character."""
    text = unicodedata.normalize("NFC", text)
    if any(map(_is_unsafe, text)):
        raise ValueError("must not contain control or text-direction characters")
    return text


def without_unsafe(text: str) -> str:
    """NFC of `text`, without what `clean_line` refuses."""
    return unicodedata.normalize("NFC", "".join(char for char in text if not _is_unsafe(char)))


def clean_text(text: str) -> str:
    """As `clean_line`, but line breaks and tabs are allowed."""
    kept = text.translate({ord("\n"): None, ord("\r"): None, ord("\t"): None})
    clean_line(kept)
    return unicodedata.normalize("NFC", text)


def _is_unsafe(char: str) -> bool:
    return char in _BIDI or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}


def _when_text(clean: Callable[[str], str]) -> BeforeValidator:
    # Before the length is checked: NFC can make a text longer.
    def validate(value: Any) -> Any:
        return clean(value) if isinstance(value, str) else value

    return BeforeValidator(validate)


CleanLine = _when_text(clean_line)
"""Put it behind `StringConstraints(strip_whitespace=True, min_length=…, max_length=…)`: one line of text."""

CleanText = _when_text(clean_text)
"""The same for several lines."""
