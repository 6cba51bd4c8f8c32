"""What of a provider's claims is taken over, under the rules that hold for what people type in themselves."""

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from grove.core.emails import Email
from grove_auth.registrations.schemas import Locale, Name, Timezone
from grove_auth.social.providers.interface import Claims

NAMELESS = "New user"
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_LOCALE: TypeAdapter[str] = TypeAdapter(Locale)
_TIMEZONE: TypeAdapter[str] = TypeAdapter(Timezone)


def verified_address(claims: Claims) -> str | None:
    """The address in its one spelling; None without a verified one."""
    return _taken(_EMAIL, claims.email, "") or None if claims.email_verified else None


def name_of(claims: Claims, told: str | None) -> str:
    """The person's name. Never made from the address: names are public. `told`: what came beside the claims."""
    return _taken(_NAME, (told or claims.name)[:100], NAMELESS)


def locale_of(claims: Claims) -> str:
    """The language."""
    return _taken(_LOCALE, claims.locale, "en")


def timezone_of(claims: Claims) -> str:
    """The timezone."""
    return _taken(_TIMEZONE, claims.timezone, "UTC")


def name_in(user: str) -> str | None:
    """The name in Apple's `user`: `{"name": {"firstName": …, "lastName": …}}`."""
    try:
        told: Any = json.loads(user)["name"]
        return _NAME.validate_python(f"{told.get('firstName') or ''} {told.get('lastName') or ''}"[:100])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _taken(kind: TypeAdapter[str], value: str | None, otherwise: str) -> str:
    try:
        return kind.validate_python(value)
    except ValidationError:
        return otherwise
