"""Facts → what a user reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from grove.contracts import auth, provider_sync, resource
from grove.contracts.event import EventData


@dataclass(frozen=True, slots=True)
class Wording:
    """A notification's type and text. `link` leads to its subject in the API."""

    type: str
    title: str
    message: str
    link: str | None = None
    task_id: UUID | None = None


def wording(fact: EventData) -> Wording | None:
    """How to tell a fact; None when it is not worth telling."""
    word = _WORDS.get(type(fact))
    return word(fact) if word else None


def _task(kind: str, title: str, message: str) -> Callable[[Any], Wording]:
    def word(fact: Any) -> Wording:
        gone = isinstance(fact, resource.TaskDeleted) and fact.permanent
        link = None if gone else f"/api/v1/tasks/{fact.task_id}"
        return Wording(kind, title, message.format(title=fact.title), link, fact.task_id)

    return word


def _place(fact: auth.SessionStarted | auth.LoginSuspicious) -> str:
    """As exactly as it is known."""
    place = ", ".join(part for part in (fact.city, fact.country) if part) or fact.ip
    return f" from {place}" if place else ""


def _session_started(fact: auth.SessionStarted) -> Wording:
    return Wording("LOGIN", "New sign-in", f"{fact.device_name} signed in{_place(fact)}.", "/api/v1/auth/sessions")


def _suspicious(fact: auth.LoginSuspicious) -> Wording:
    new = {
        "new_device": "device is",
        "new_place": "place is",
        "new_device_and_place": "device and this place are",
    }
    return Wording(
        "SUSPICIOUS_LOGIN",
        "A sign-in from somewhere new",
        f"{fact.device_name} signed in{_place(fact)}; this {new[fact.reason]} new. "
        "If that was not you, change your password.",
        "/api/v1/auth/sessions",
    )


def _email_changed(fact: auth.UserEmailChanged) -> Wording:
    told = {
        "changed": f"It is {fact.email} now; the old one can take that back for some days.",
        "undone": f"It is {fact.email} again: the change was taken back, and all sessions were ended.",
    }
    return Wording("EMAIL_CHANGED", "Your address is another one", told[fact.how])


def _session_ended(fact: auth.SessionEnded) -> Wording | None:
    if fact.reason in {"reuse_detected", "password_changed", "blocked"}:
        return None  # told by its own, louder fact
    how = "signed out" if fact.reason == "logout" else "was signed out"
    return Wording("LOGOUT", "Signed out", f"{fact.device_name} {how}.", "/api/v1/auth/sessions")


def _reuse(fact: auth.SessionReuseDetected) -> Wording:
    return Wording(
        "SESSION_REUSE",
        "A session was ended for safety",
        f"An old refresh token of {fact.device_name} was used again, so the session was ended. "
        "If that was not you, change your password.",
        "/api/v1/auth/sessions",
    )


def _password_changed(fact: auth.UserPasswordChanged) -> Wording:
    how = "changed" if fact.how == "changed" else "reset through a mailed link"
    return Wording(
        "PASSWORD_CHANGED",
        "Your password is another one",
        f"It was {how}, and all other sessions were ended. If that was not you, reset it now.",
        "/api/v1/auth/sessions",
    )


def _locked(fact: auth.LoginLocked) -> Wording:
    if fact.factor == "second":
        return _second_factor_locked(fact)
    rest = f"until {fact.until:%H:%M} UTC on {fact.until:%Y-%m-%d}" if fact.until else "until you reset your password"
    return Wording(
        "ACCOUNT_LOCKED",
        "Sign-in by password rests",
        f"A wrong password was given {fact.failures} times in a row, so it rests {rest}.",
    )


def _second_factor_locked(fact: auth.LoginLocked) -> Wording:
    rest = f"until {fact.until:%H:%M} UTC on {fact.until:%Y-%m-%d}" if fact.until else "until it is reset"
    return Wording(
        "ACCOUNT_LOCKED",
        "Your second factor rests",
        f"After a right password, a wrong code was given {fact.failures} times in a row, so it rests {rest}. "
        "If that was not you, change your password.",
    )


_METHODS = {"totp": "an authenticator app", "sms": "codes by SMS", "email": "codes by mail"}


def _mfa_enabled(fact: auth.MfaEnabled) -> Wording:
    return Wording(
        "MFA_ENABLED",
        "A second factor was turned on",
        f"From now on you sign in with {_METHODS[fact.method]} too. If that was not you, change your password.",
    )


def _mfa_disabled(fact: auth.MfaDisabled) -> Wording:
    why = {
        "removed": "was turned off by a session of yours",
        "recovered": "was turned off, as its device was reported lost",
        "admin": "was turned off by an administrator",
    }
    what = "Your second factor" if fact.method == "all" else f"A second factor ({_METHODS[fact.method]})"
    return Wording(
        "MFA_DISABLED",
        "A second factor was turned off",
        f"{what} {why[fact.reason]}. If that was not you, change your password and turn it on again.",
    )


def _api_key_created(fact: auth.ApiKeyCreated) -> Wording:
    return Wording(
        "API_KEY_CREATED",
        "A new API key",
        f"The key “{fact.name}” ({fact.hint}…) was made. If that was not you, delete it and change your password.",
        "/api/v1/auth/api-keys",
    )


def _registered(fact: auth.UserRegistered) -> Wording:
    return Wording("SIGNUP", "Welcome to Grove", f"Hello {fact.name}, your account is ready.")


def _shared(fact: resource.TaskShared) -> Wording:
    may = {"viewer": "see", "editor": "see and change"}[fact.role]
    return Wording(
        "TASK_SHARED",
        "A task is shared with you",
        f"You may {may} “{fact.title}”.",
        f"/api/v1/tasks/{fact.task_id}",
        fact.task_id,
    )


def _reminder(fact: resource.TaskReminderDue) -> Wording:
    due = f" It is due at {fact.due_at:%H:%M} UTC on {fact.due_at:%Y-%m-%d}." if fact.due_at else ""
    return Wording("TASK_REMINDER", "Reminder", f"“{fact.title}”.{due}", f"/api/v1/tasks/{fact.task_id}", fact.task_id)


def _profile_updated(fact: resource.ProfileUpdated) -> Wording:
    return Wording("PROFILE_UPDATED", "Your profile changed", f"Changed: {', '.join(fact.changed)}.", "/api/v1/profile")


def _linked(fact: provider_sync.ConnectionLinked) -> Wording:
    return Wording(
        "PROVIDER_CONNECTED",
        f"{fact.provider_name} is connected",
        "Your accounts and transactions are being fetched.",
        f"/api/v1/connections/{fact.connection_id}",
    )


def _needs_reauth(fact: provider_sync.ConnectionNeedsReauth) -> Wording:
    return Wording(
        "PROVIDER_NEEDS_REAUTH",
        f"{fact.provider_name} needs you",
        f"{fact.reason} Connect it again to go on.",
        f"/api/v1/connections/{fact.connection_id}",
    )


def _run_completed(fact: provider_sync.RunCompleted) -> Wording | None:
    if fact.trigger == "scheduled" and not fact.after_failure:
        return None  # every few hours, for each connection: nobody wants to read that
    return Wording(
        "PROVIDER_SYNCED",
        f"{fact.provider_name} is up to date",
        f"{fact.accounts} accounts; {fact.added} new, {fact.changed} changed, {fact.removed} removed transactions.",
        f"/api/v1/connections/{fact.connection_id}",
    )


def _run_failed(fact: provider_sync.RunFailed) -> Wording | None:
    if fact.trigger == "scheduled":
        return None  # tried again soon; what lasts is told by needs_reauth
    return Wording(
        "PROVIDER_FAILED",
        f"{fact.provider_name} could not be fetched",
        f"{fact.reason} It is tried again by itself.",
        f"/api/v1/connections/{fact.connection_id}",
    )


_WORDS: dict[type[EventData], Callable[[Any], Wording | None]] = {
    auth.UserRegistered: _registered,
    auth.SessionStarted: _session_started,
    auth.SessionEnded: _session_ended,
    auth.SessionReuseDetected: _reuse,
    auth.UserPasswordChanged: _password_changed,
    auth.UserEmailChanged: _email_changed,
    auth.LoginSuspicious: _suspicious,
    auth.LoginLocked: _locked,
    auth.MfaEnabled: _mfa_enabled,
    auth.MfaDisabled: _mfa_disabled,
    auth.ApiKeyCreated: _api_key_created,
    resource.TaskCreated: _task("TASK_CREATED", "Task created", "“{title}” was created."),
    resource.TaskUpdated: _task("TASK_UPDATED", "Task changed", "“{title}” was changed."),
    resource.TaskCompleted: _task("TASK_COMPLETED", "Task completed", "“{title}” is done."),
    resource.TaskReopened: _task("TASK_PENDING", "Task reopened", "“{title}” is pending again."),
    resource.TaskDeleted: _task("TASK_DELETED", "Task deleted", "“{title}” was deleted."),
    resource.TaskRestored: _task("TASK_RESTORED", "Task restored", "“{title}” is back."),
    resource.TaskShared: _shared,
    resource.TaskReminderDue: _reminder,
    resource.ProfileUpdated: _profile_updated,
    provider_sync.ConnectionLinked: _linked,
    provider_sync.ConnectionNeedsReauth: _needs_reauth,
    provider_sync.RunCompleted: _run_completed,
    provider_sync.RunFailed: _run_failed,
}
