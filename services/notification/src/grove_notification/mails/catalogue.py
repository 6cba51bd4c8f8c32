"""Every mail there is: its subject, what it is about, and what its preview shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["security", "account", "notice", "digest"]


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """`templates/<name>.mjml` and `.txt`. `sample`: a value for each of its variables."""

    name: str
    kind: Kind
    subject: str
    sample: Mapping[str, Any]


_TIME = {"at": "2026-07-01T18:30:00+00:00", "timezone": "UTC"}
_TOKEN = "sample"  # noqa: S105 - a token of nothing


def worded(message: str) -> str:
    """Marks a message for translation; it is translated where it is used."""
    return message


def _security(name: str, subject: str, **sample: Any) -> MailTemplate:
    return MailTemplate(name, "security", subject, {"name": "Ada", **sample})


def _account(name: str, subject: str, **sample: Any) -> MailTemplate:
    return MailTemplate(name, "account", subject, {"name": "Ada", **sample})


def _alert(name: str, subject: str, **sample: Any) -> MailTemplate:
    return _security(name, subject, token=_TOKEN, days=7, **_TIME, **sample)


_ITEM = {"title": "Task completed", "message": "“Water the oak” is done.", "link": "/api/v1/tasks/1"}

_ALL = (
    _account("verify_email", worded("Confirm your address"), token=_TOKEN, hours=24),
    _account("already_registered", worded("You already have an account")),
    _security("reset_password", worded("Set a new password"), token=_TOKEN, minutes=15),
    _account("invitation", worded("You have an account"), token=_TOKEN, hours=72),
    _account("welcome", worded("Welcome to Grove")),
    _account("account_deleted", worded("Your account was deleted")),
    _account("deletion_scheduled", worded("Your account will be deleted"), token=_TOKEN, date="2026-07-01"),
    _security("mfa_code", worded("Your code"), code="123456", minutes=5),
    _security("mfa_recovery", worded("Was your second factor lost?"), token=_TOKEN, hours=72),
    _security("mfa_recovery_ended", worded("Your lost second factor"), cancelled=False),
    _account("change_email", worded("Confirm your new address"), token=_TOKEN, hours=24),
    _security("email_taken", worded("Somebody wanted to use your address")),
    _security(
        "email_changed",
        worded("The address of your account was changed"),
        token=_TOKEN,
        days=7,
        **_TIME,
    ),
    _security("email_change_undone", worded("A change of address was taken back")),
    _alert(
        "new_sign_in",
        worded("A new sign-in to your account"),
        device="Firefox on Linux",
        place="Berlin, DE",
        ip="203.0.113.0",
    ),
    _alert("login_locked", worded("Wrong passwords for your account"), failures=10, until="2026-07-01T19:30:00+00:00"),
    _alert("session_reuse", worded("A session was ended for safety"), device="Firefox on Linux", ip="203.0.113.0"),
    _alert("password_changed", worded("Your password was changed"), how="changed"),
    _alert("mfa_changed", worded("Your second factor was changed"), change="enabled", method="TOTP"),
    _alert("api_key_created", worded("A new API key for your account"), key_name="backup"),
    _alert("passkey_changed", worded("Your passkeys were changed"), change="added", passkey_name="Phone"),
    _alert("passkey_copied", worded("One of your passkeys may have been copied"), passkey_name="Phone"),
    _alert("identity_changed", worded("The ways into your account were changed"), change="linked", provider="GitHub"),
    MailTemplate("notification", "notice", worded("News from Grove"), _ITEM),
    MailTemplate("digest", "digest", worded("What happened in Grove"), {"items": [_ITEM] * 3, "more": 2}),
    MailTemplate(
        "webhook_disabled",
        "account",
        worded("A webhook was switched off"),
        {"host": "example.com", "reason": "The endpoint answered 410."},
    ),
)
TEMPLATES: dict[str, MailTemplate] = {each.name: each for each in _ALL}
