"""What previews show: values for each template's variables, and for each of its branches."""

from collections.abc import Mapping
from typing import Any

Values = Mapping[str, Any]

_TOKEN = "sample"  # noqa: S105 - a token of nothing
_AT = {"at": "2026-07-01T18:30:00+00:00", "timezone": "UTC"}
_LINK = {"name": "Ada", "token": _TOKEN}
_ALERT = {**_LINK, "days": 7, **_AT}
_DEVICE = {"device": "Firefox on Linux", "browser": "Firefox", "os": "Linux", "ip": "203.0.113.0"}
_DONE = {"title": "Task completed", "message": "“Water the oak” is done.", "link": "/api/v1/tasks/1"}
_SHARED = {"title": "A task is shared with you", "message": "You may see “Plant a tree”.", "link": "/api/v1/tasks/2"}
_BANK = {"title": "Sandbox Bank needs you", "message": "Connect it again to go on.", "link": None}
_FERTIG = {"title": "Aufgabe erledigt", "message": "„Die Eiche gießen“ ist erledigt.", "link": "/api/v1/tasks/1"}
_GETEILT = {
    "title": "Eine Aufgabe wurde mit Ihnen geteilt",
    "message": "Sie dürfen „Einen Baum pflanzen“ sehen.",
    "link": "/api/v1/tasks/2",
}
_HAUSBANK = {
    "title": "Sandbox Bank: bitte neu verbinden",
    "message": "Stellen Sie die Verbindung neu her, damit es weitergeht.",
    "link": None,
}

DEFAULT = "default"
SAMPLES: dict[str, dict[str, Values]] = {
    "verify_email": {DEFAULT: {"token": _TOKEN, "hours": 24}},
    "already_registered": {DEFAULT: {"name": "Ada"}},
    "reset_password": {DEFAULT: {**_LINK, "minutes": 15}},
    "invitation": {DEFAULT: {"token": _TOKEN, "hours": 72}},
    "welcome": {DEFAULT: {"name": "Ada"}},
    "account_deleted": {DEFAULT: {"name": "Ada"}},
    "deletion_scheduled": {DEFAULT: {**_LINK, "date": "2026-07-01"}},
    "mfa_code": {DEFAULT: {"name": "Ada", "code": "12345678", "minutes": 5}},
    "mfa_recovery": {DEFAULT: {**_LINK, "hours": 72}},
    "mfa_recovery_ended": {DEFAULT: {"name": "Ada", "cancelled": False}, "cancelled": {"cancelled": True}},
    "change_email": {DEFAULT: {"token": _TOKEN, "hours": 24}},
    "email_taken": {DEFAULT: {"name": "Ada"}},
    "email_changed": {DEFAULT: _ALERT},
    "email_change_undone": {DEFAULT: {"name": "Ada"}},
    "new_sign_in": {
        DEFAULT: {**_ALERT, **_DEVICE, "place": "Berlin, DE"},
        "network": {"place": ""},
        "nowhere": {"place": "", "ip": ""},
    },
    "login_locked": {
        DEFAULT: {**_ALERT, "failures": "10", "until": "2026-07-01T19:30:00+00:00"},
        "reset": {"failures": "100", "until": ""},
    },
    "session_reuse": {DEFAULT: {**_ALERT, **_DEVICE}, "nowhere": {"ip": ""}},
    "password_changed": {DEFAULT: {**_ALERT, "how": "changed"}, "reset": {"how": "reset"}},
    "mfa_changed": {
        DEFAULT: {**_ALERT, "change": "enabled", "method": "totp"},
        "disabled": {"change": "disabled", "method": "sms"},
        "all": {"change": "disabled", "method": "all"},
    },
    "mfa_locked": {
        DEFAULT: {**_ALERT, "failures": "10", "until": "2026-07-01T19:30:00+00:00"},
        "recovery": {"failures": "100", "until": ""},
    },
    "api_key_created": {DEFAULT: {**_ALERT, "key_name": "backup"}},
    "passkey_changed": {
        DEFAULT: {**_ALERT, "change": "added", "passkey_name": "Phone"},
        "removed": {"change": "removed"},
    },
    "passkey_copied": {DEFAULT: {**_ALERT, "passkey_name": "Phone"}},
    "identity_changed": {
        DEFAULT: {**_ALERT, "change": "linked", "provider": "google"},
        "unlinked": {"change": "unlinked"},
    },
    "notification": {DEFAULT: _DONE, "unlinked": _BANK},
    "digest": {DEFAULT: {"items": [_DONE, _SHARED, _BANK], "more": 2}, "short": {"items": [_DONE], "more": 0}},
    "webhook_disabled": {DEFAULT: {"host": "example.com", "reason": "The endpoint answered 410."}},
}
"""By template and variant; what a variant does not name is as in the first."""

_GERMAN: dict[str, dict[str, Values]] = {
    "api_key_created": {DEFAULT: {"key_name": "Sicherung"}},
    "passkey_changed": {DEFAULT: {"passkey_name": "Handy"}},
    "passkey_copied": {DEFAULT: {"passkey_name": "Handy"}},
    "notification": {DEFAULT: _FERTIG, "unlinked": _HAUSBANK},
    "digest": {DEFAULT: {"items": [_FERTIG, _GETEILT, _HAUSBANK]}, "short": {"items": [_FERTIG]}},
    "webhook_disabled": {DEFAULT: {"reason": "Der Endpunkt hat mit 410 geantwortet."}},
}


def sample_of(template: str, variant: str = DEFAULT, locale: str = "en") -> dict[str, Any]:
    """Values for all variables. Raises KeyError for a variant that there is not."""
    variants = SAMPLES[template]
    german = _GERMAN.get(template, {}) if locale == "de" else {}
    return {**variants[DEFAULT], **german.get(DEFAULT, {}), **variants[variant], **german.get(variant, {})}
