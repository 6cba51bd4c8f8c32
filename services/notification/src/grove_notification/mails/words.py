"""Words for what mails are told as a code or a name: second factors, providers, devices."""

from grove_notification.mails.marking import worded
from grove_notification.texts import Texts

_FACTORS = {
    "totp": worded("an authenticator app"),
    "sms": worded("codes by SMS"),
    "email": worded("codes by e-mail"),
}
_FORMERLY = {"TOTP": "totp", "SMS": "sms", "e-mail": "email", "TOTP, SMS, e-mail": "all"}
"""Names that mails were queued with."""
_PROVIDERS = {"github": "GitHub", "gitlab": "GitLab", "linkedin": "LinkedIn"}


def second_factor(method: str, t: Texts) -> str | None:
    """What a second factor is; None for all of them together."""
    code = _FORMERLY.get(method, method)
    if code == "all":
        return None
    return t(_FACTORS[code]) if code in _FACTORS else method


def provider_name(key: str) -> str:
    """A provider as it writes itself; one that is not known by its key."""
    return _PROVIDERS.get(key, key[:1].upper() + key[1:])


def device_name(name: str, browser: str, system: str, t: Texts) -> str:
    """In the reader's language where auth made the name; as the user calls it otherwise."""
    if browser and system and name == f"{browser} on {system}":
        return t("{browser} on {system}", browser=browser, system=system)
    return name
