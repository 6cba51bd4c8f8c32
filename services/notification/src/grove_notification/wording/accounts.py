"""How auth's facts are told, and profiles'."""

from grove.contracts import auth, resource
from grove_notification.texts import Texts
from grove_notification.wording.words import Wording, Words

SESSIONS = "/api/v1/auth/sessions"


def _device(fact: auth.SessionStarted | auth.LoginSuspicious, t: Texts) -> str:
    """In words of the language where auth made the name of browser and system."""
    if fact.device_name == f"{fact.browser} on {fact.os}":
        return t("{browser} on {system}", browser=fact.browser, system=fact.os)
    return fact.device_name


def _signed_in(fact: auth.SessionStarted | auth.LoginSuspicious, t: Texts) -> str:
    """Where from as exactly as it is known."""
    place = ", ".join(part for part in (fact.city, fact.country) if part) or fact.ip
    if not place:
        return t("{device} signed in.", device=_device(fact, t))
    return t("{device} signed in from {place}.", device=_device(fact, t), place=place)


def _session_started(fact: auth.SessionStarted, t: Texts) -> Wording:
    return Wording("LOGIN", t("New sign-in"), _signed_in(fact, t), SESSIONS)


def _suspicious(fact: auth.LoginSuspicious, t: Texts) -> Wording:
    new = {
        "new_device": t("This device is new."),
        "new_place": t("This place is new."),
        "new_device_and_place": t("This device and this place are new."),
    }
    not_you = t("If that was not you, change your password.")
    return Wording(
        "SUSPICIOUS_LOGIN",
        t("A sign-in from somewhere new"),
        f"{_signed_in(fact, t)} {new[fact.reason]} {not_you}",
        SESSIONS,
    )


def _session_ended(fact: auth.SessionEnded, t: Texts) -> Wording | None:
    if fact.reason in {"reuse_detected", "password_changed", "blocked"}:
        return None  # told by its own, louder fact
    message = (
        t("{device} signed out.", device=fact.device_name)
        if fact.reason == "logout"
        else t("{device} was signed out.", device=fact.device_name)
    )
    return Wording("LOGOUT", t("Signed out"), message, SESSIONS)


def _reuse(fact: auth.SessionReuseDetected, t: Texts) -> Wording:
    what = t("An old refresh token of {device} was used again, so the session was ended.", device=fact.device_name)
    not_you = t("If that was not you, change your password.")
    return Wording("SESSION_REUSE", t("A session was ended for safety"), f"{what} {not_you}", SESSIONS)


def _password_changed(fact: auth.UserPasswordChanged, t: Texts) -> Wording:
    message = (
        t("It was changed, and all other sessions were ended. If that was not you, reset it now.")
        if fact.how == "changed"
        else t("It was reset through a mailed link, and all sessions were ended. If that was not you, reset it now.")
    )
    return Wording("PASSWORD_CHANGED", t("Your password is another one"), message, SESSIONS)


def _email_changed(fact: auth.UserEmailChanged, t: Texts) -> Wording:
    message = (
        t("It is {email} now; the old one can take that back for some days.", email=fact.email)
        if fact.how == "changed"
        else t("It is {email} again: the change was taken back, and all sessions were ended.", email=fact.email)
    )
    return Wording("EMAIL_CHANGED", t("Your address is another one"), message, "/api/v1/auth/me")


def _locked(fact: auth.LoginLocked, t: Texts) -> Wording:
    if fact.factor == "second":
        return _second_factor_locked(fact, t)
    rests = (
        t("It rests until {time}.", time=t.time(fact.until))
        if fact.until
        else t("It rests until you reset it by mail.")
    )
    given = t("A wrong password was given {count} times in a row.", count=fact.failures)
    return Wording("ACCOUNT_LOCKED", t("Sign-in by password rests"), f"{given} {rests}", "/api/v1/auth/security-events")


def _second_factor_locked(fact: auth.LoginLocked, t: Texts) -> Wording:
    given = t("After a right password, a wrong code was given {count} times in a row.", count=fact.failures)
    rests = t("It rests until {time}.", time=t.time(fact.until)) if fact.until else t("It rests until it is reset.")
    not_you = t("If that was not you, change your password.")
    return Wording(
        "ACCOUNT_LOCKED", t("Your second factor rests"), f"{given} {rests} {not_you}", "/api/v1/auth/security-events"
    )


def _method(name: str, t: Texts) -> str:
    return {
        "totp": t("an authenticator app"),
        "sms": t("codes by SMS"),
        "email": t("codes by mail"),
    }[name]


def _mfa_enabled(fact: auth.MfaEnabled, t: Texts) -> Wording:
    from_now = t("From now on you sign in with {method} too.", method=_method(fact.method, t))
    not_you = t("If that was not you, change your password.")
    return Wording("MFA_ENABLED", t("A second factor was turned on"), f"{from_now} {not_you}", "/api/v1/auth/me")


def _mfa_disabled(fact: auth.MfaDisabled, t: Texts) -> Wording:
    what = t("your second factor") if fact.method == "all" else _method(fact.method, t)
    why = {
        "removed": t("Turned off by a session of yours: {method}.", method=what),
        "recovered": t("Turned off, as its device was reported lost: {method}.", method=what),
        "admin": t("Turned off by an administrator: {method}.", method=what),
    }[fact.reason]
    not_you = t("If that was not you, change your password and turn it on again.")
    return Wording("MFA_DISABLED", t("A second factor was turned off"), f"{why} {not_you}", "/api/v1/auth/me")


def _api_key_created(fact: auth.ApiKeyCreated, t: Texts) -> Wording:
    made = t("The key “{name}” ({hint}…) was made.", name=fact.name, hint=fact.hint)
    not_you = t("If that was not you, delete it and change your password.")
    return Wording("API_KEY_CREATED", t("A new API key"), f"{made} {not_you}", "/api/v1/auth/api-keys")


def _registered(fact: auth.UserRegistered, t: Texts) -> Wording:
    hello = t("Hello {name}, your account is ready.", name=fact.name)
    return Wording("SIGNUP", t("Welcome to Grove"), hello, "/api/v1/auth/me")


def _profile_updated(fact: resource.ProfileUpdated, t: Texts) -> Wording:
    named = {"name": t("name"), "bio": t("bio"), "photo": t("photo")}
    changed = ", ".join(named.get(field, field) for field in fact.changed)
    return Wording(
        "PROFILE_UPDATED", t("Your profile changed"), t("Changed: {fields}.", fields=changed), "/api/v1/profile"
    )


WORDS: Words = {
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
    resource.ProfileUpdated: _profile_updated,
}
