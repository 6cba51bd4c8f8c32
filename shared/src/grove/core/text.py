"""Text that people write: names and titles are NFC, without control or bidirectional-override characters."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_line(text: str) -> str:
    """NFC of `text`, refused when it has a control or bidirectional-override character."""
    text = unicodedata.normalize("NFC", text)
    if any(char in _BIDI or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text):
        raise ValueError("must not contain control or text-direction characters")
    return text


def clean_text(text: str) -> str:
    """As `clean_line`, but line breaks and tabs are allowed."""
    kept = text.translate({ord("\n"): None, ord("\r"): None, ord("\t"): None})
    clean_line(kept)
    return unicodedata.normalize("NFC", text)


Line = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(clean_line)]
"""One line of text, stripped; add a length with `Field`."""

Text = Annotated[str, AfterValidator(clean_text)]
"""Several lines of text; add a length with `Field`."""
