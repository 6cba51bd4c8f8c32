"""What is written to people, in their language and their time zone, by Babel.

The wording in the code is English; `locales/<language>/LC_MESSAGES/<domain>.po` has the others. A catalogue is read
once per process, straight from its source.
"""

import io
from datetime import date, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("en", "de")


class Texts:
    """Calling it words a message: `texts("“{title}” is done.", title=…)`."""

    def __init__(self, locale: str, timezone: str, domain: str = "notifications") -> None:
        self.locale = _locale(locale)
        self.language = self.locale.language if self.locale.language in LANGUAGES else "en"
        self.timezone = zone(timezone)
        self._translations = _catalogue(self.language, domain)

    def __call__(self, message: str, **values: object) -> str:
        """The message in the language, or in English when there is no wording of it."""
        return self._translations.gettext(message).format(**values)

    def plural(self, one: str, more: str, count: int, **values: object) -> str:
        """The same in the form that the number asks for; `{count}` is the number."""
        return self._translations.ngettext(one, more, count).format(count=count, **values)

    def time(self, moment: datetime) -> str:
        """A time as its reader's clock shows it, with the zone's name."""
        style = {"en": "d MMMM yyyy, HH:mm z", "de": "d. MMMM yyyy 'um' HH:mm 'Uhr' z"}[self.language]
        return format_datetime(moment, style, tzinfo=self.timezone, locale=self.language)

    def day(self, day: date) -> str:
        """A day in full."""
        style = {"en": "d MMMM yyyy", "de": "d. MMMM yyyy"}[self.language]
        return format_date(day, style, locale=self.language)

    def country(self, code: str) -> str:
        """A country's name by its ISO 3166-1 code; the code where Babel knows none."""
        name: str = Locale(self.language).territories.get(code.upper(), code)
        return name


def zone(name: str) -> ZoneInfo:
    """A time zone; UTC for a name that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        return ZoneInfo("UTC")


@cache
def _catalogue(language: str, domain: str) -> NullTranslations:
    if language == "en":
        return NullTranslations()
    source = files("grove_notification") / "locales" / language / "LC_MESSAGES" / f"{domain}.po"
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source.read_bytes()), locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def _locale(name: str) -> Locale:
    try:
        return Locale.parse(name, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale("en")
