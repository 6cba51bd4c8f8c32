"""Registration as JSON."""

import zoneinfo
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from grove.core.emails import Email
from grove.core.schema import Incoming
from grove.core.text import CleanLine
from grove_auth.captcha.schemas import WithCaptcha
from grove_auth.passwords.rules import Password

LOCALES = ("en", "de")


def _timezone(name: str) -> str:
    if name not in _timezones():
        raise ValueError("is not a timezone of the IANA database, such as Europe/Berlin")
    return name


@lru_cache
def _timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())  # reads the whole database, which takes 25 ms


def _locale(tag: str) -> str:
    language = tag.replace("_", "-").split("-", 1)[0].lower()
    return language if language in LOCALES else LOCALES[0]


Timezone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_timezone)]
Locale = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$", max_length=35),
    AfterValidator(_locale),
    Field(examples=["en"]),
]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=100),
    CleanLine,
    Field(examples=["Ada Lovelace"]),
]


class Register(WithCaptcha):
    """A new account."""

    email: Email
    password: Password
    name: Name
    locale: Locale = "en"
    timezone: Timezone = "UTC"


class VerifyEmail(Incoming):
    """The token of the mailed link."""

    token: Annotated[str, Field(min_length=1, max_length=200)]


class ResendVerification(WithCaptcha):
    """The address of a pending registration."""

    email: Email
