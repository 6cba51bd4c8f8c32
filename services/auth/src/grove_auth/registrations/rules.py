"""Whose address can get an account."""

from disposable_email_domains import blocklist

from grove.core.errors import Invalid
from grove_auth.settings import AuthSettings


class DisposableAddress(Invalid):
    """422: an address of a throw-away mail provider."""

    message = "Use another address."


def check_address(email: str, settings: AuthSettings, *, field: str = "email") -> None:
    """Raises DisposableAddress, for the body's `field`, when the setting refuses such addresses."""
    if settings.refuse_disposable_email and is_disposable(email):
        message = "is at a provider of throw-away addresses; use one that lasts"
        raise DisposableAddress(details=[{"field": f"body.{field}", "message": message, "type": "disposable_email"}])


def is_disposable(email: str) -> bool:
    """Whether the address's domain, or one it belongs to, is known as a throw-away one."""
    labels = email.rpartition("@")[2].split(".")
    return any(".".join(labels[start:]) in blocklist for start in range(len(labels) - 1))
