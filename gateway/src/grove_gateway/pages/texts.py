"""What the pages of mailed links say, in the language that the browser asks for.

The wording in the code is English; `locales/<language>/LC_MESSAGES/pages.po` has the others. A catalogue is read once
per process, straight from its source.
"""

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("en", "de")


def language_of(accept_language: str) -> str:
    """The one of LANGUAGES that an Accept-Language header likes best; English for who reads none of them."""
    liked = sorted(filter(_weight, accept_language.split(",")), key=_weight, reverse=True)
    return negotiate_locale([tag.split(";")[0].strip() for tag in liked], LANGUAGES, sep="-") or "en"


@cache
def catalogue(language: str) -> NullTranslations:
    """The wording in a language."""
    if language == "en":
        return NullTranslations()
    source = files("grove_gateway") / "locales" / language / "LC_MESSAGES" / "pages.po"
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source.read_bytes()), locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def _weight(tag: str) -> float:
    """How much a tag is liked; 0 for one that is not wanted, or can't be read."""
    _, _, weight = tag.partition(";q=")
    try:
        return float(weight or 1)
    except ValueError:
        return 0
