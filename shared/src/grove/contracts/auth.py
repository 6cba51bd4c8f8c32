"""Events of the auth service."""

from typing import ClassVar, Literal
from uuid import UUID

from grove.contracts.event import EventData, Time

MailTemplate = Literal[
    "verify_email",
    "already_registered",
    "reset_password",
    "invitation",
    "account_deleted",
    "deletion_scheduled",
    "mfa_code",
    "mfa_recovery",
    "mfa_recovery_ended",
    "change_email",
    "email_taken",
    "email_changed",
    "email_change_undone",
    "new_sign_in",
    "login_locked",
    "session_reuse",
    "password_changed",
    "mfa_changed",
    "mfa_locked",
    "api_key_created",
    "passkey_changed",
    "passkey_copied",
    "identity_changed",
]
"""Mails with a secret, or to an address that is not the account's. The variables of each: contracts/mails.py."""


class _User(EventData):
    user_id: UUID

    def subject(self) -> str:
        return str(self.user_id)


class UserRegistered(_User):
    """Somebody verified their address: the account exists from now on."""

    type: ClassVar = "auth.user.registered.v1"
    email: str
    name: str
    locale: str
    timezone: str
    roles: list[str]
    registered_at: Time
    greet: bool = True
    """False: the account was moved here from elsewhere, or its user is invited by a mail of its own."""


class UserVerified(_User):
    """The account's address was verified."""

    type: ClassVar = "auth.user.verified.v1"
    email: str


class UserUpdated(_User):
    """Locale, timezone or roles changed."""

    type: ClassVar = "auth.user.updated.v1"
    locale: str
    timezone: str
    roles: list[str]


class UserEmailChanged(_User):
    """The account's address is another one: its user confirmed it, or took such a change back."""

    type: ClassVar = "auth.user.email_changed.v1"
    email: str
    how: Literal["changed", "undone"]
    changed_at: Time


class UserPasswordChanged(_User):
    """The password is another one: changed by its user, or reset through a mailed link. All other sessions ended."""

    type: ClassVar = "auth.user.password_changed.v1"
    how: Literal["changed", "reset"]
    changed_at: Time


class UserBlocked(_User):
    """An administrator blocked the account: it can't sign in, and its sessions ended."""

    type: ClassVar = "auth.user.blocked.v1"
    until: Time | None
    """None: until it is unblocked."""
    reason: str
    blocked_at: Time


class UserUnblocked(_User):
    """The block was taken back, or its time is over."""

    type: ClassVar = "auth.user.unblocked.v1"
    unblocked_at: Time


class UserDeleted(_User):
    """The account is gone: every service erases what it has of the user, and says so."""

    type: ClassVar = "auth.user.deleted.v1"
    deleted_at: Time


class SessionStarted(_User):
    """A sign-in succeeded."""

    type: ClassVar = "auth.session.started.v1"
    session_id: str
    device_name: str
    browser: str
    os: str
    ip: str
    """Truncated: the last octet of IPv4, the last 80 bits of IPv6 are zero."""
    city: str | None = None
    country: str | None = None
    """ISO 3166-1. City and country are known only where the operator gave a database of places."""
    started_at: Time


class SessionEnded(_User):
    """A session was ended by its user, an administrator or a security rule; not on expiry."""

    type: ClassVar = "auth.session.ended.v1"
    session_id: str
    device_name: str
    reason: Literal["logout", "revoked", "reuse_detected", "password_changed", "blocked"]
    ended_at: Time


class SessionReuseDetected(_User):
    """A rotated refresh token was used again: its session was ended."""

    type: ClassVar = "auth.session.reuse_detected.v1"
    session_id: str
    device_name: str
    ip: str
    detected_at: Time


class LoginSuspicious(_User):
    """A sign-in succeeded, from a device or a place that the account was not known to use."""

    type: ClassVar = "auth.login.suspicious.v1"
    session_id: str
    reason: Literal["new_device", "new_place", "new_device_and_place"]
    device_name: str
    browser: str
    os: str
    ip: str
    """Truncated, as in `auth.session.started`."""
    city: str | None = None
    country: str | None = None
    signed_in_at: Time


class LoginLocked(_User):
    """Too many wrong passwords in a row: sign-in by password rests until a moment, or until the password is reset."""

    type: ClassVar = "auth.login.locked.v1"
    until: Time | None
    """None: until the password is reset."""
    failures: int
    locked_at: Time
    factor: Literal["password", "second"] = "password"
    """What was guessed. `second`: codes after a right password."""


class MfaEnabled(_User):
    """A second factor was turned on."""

    type: ClassVar = "auth.mfa.enabled.v1"
    method: Literal["totp", "sms", "email"]
    enabled_at: Time


class MfaDisabled(_User):
    """A second factor was turned off, or all of them were."""

    type: ClassVar = "auth.mfa.disabled.v1"
    method: Literal["totp", "sms", "email", "all"]
    reason: Literal["removed", "recovered", "admin"]
    """By its user; because the device was lost, after the wait; by an administrator."""
    disabled_at: Time


class ApiKeyCreated(_User):
    """An API key was made. `hint`: its first characters."""

    type: ClassVar = "auth.api_key.created.v1"
    api_key_id: UUID
    name: str
    hint: str
    scopes: list[str]
    expires_at: Time | None
    created_at: Time


class ApiKeyDeleted(_User):
    """An API key was deleted: it is dead everywhere."""

    type: ClassVar = "auth.api_key.deleted.v1"
    api_key_id: UUID
    name: str
    hint: str
    deleted_at: Time


class MailRequested(EventData):
    """A command: send this mail. For mails with a secret, or to an address that is not the account's."""

    type: ClassVar = "auth.mail.requested.v1"
    mail_id: UUID
    template: MailTemplate
    user_id: UUID | None = None
    """Whose mail it is, so that it can be erased with the account; None before there is one."""
    locale: str
    expires_at: Time | None = None
    """When what it says holds no longer, such as a code: it is not sent after that. None: it holds for ever."""
    sealed: str
    """`{"to": …, "variables": {…}}`, encrypted for the notification service (security/encryption.py)."""

    def subject(self) -> str:
        return str(self.mail_id)


class Revocation(EventData):
    """One entry of the revocation feed, or its heartbeat. Sent by fanout, never through the outbox."""

    type: ClassVar = "auth.revocation.v1"
    number: int
    kind: Literal["heartbeat", "session", "user", "api_key", "global", "signing_key"]
    key: str = ""
    """Id of a session, a user, an API key's secret or a signing key."""
    minimum: int = 0
    """Least token version that still counts, for `user` and `global`."""
    until: Time | None = None
    """When the entry can be forgotten: no token it concerns lives longer."""

    def subject(self) -> str:
        return self.key
