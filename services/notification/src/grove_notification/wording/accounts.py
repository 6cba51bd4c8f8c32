"""How auth's facts are told, and profiles'."""

from grove.contracts import auth, resource
from grove_notification.texts import Texts
from grove_notification.wording.words import Wording, Words

SESSIONS = "/api/v1/auth/sessions"
SECURITY_EVENTS = "/api/v1/auth/security-events"


_SYSTEMS = frozenset({"Android", "Chrome OS", "Fedora", "FreeBSD", "iOS", "Linux", "Mac OS X", "Ubuntu", "Windows"})


def _device(name: str, t: Texts) -> str:
    """In words of the language where auth made the name of browser and system; what a user calls it stays."""
    browser, _, system = name.rpartition(" on ")
    return t("{browser} on {system}", browser=browser, system=system) if browser and system in _SYSTEMS else name


def _signed_in(fact: auth.SessionStarted | auth.LoginSuspicious, t: Texts) -> str:
    """Where from as exactly as it is known."""
    country = t.country(fact.country) if fact.country else None
    place = ", ".join(part for part in (fact.city, country) if part) or fact.ip
    device = _device(fact.device_name, t)
    if not place:
        return t("{device} signed in.", device=device)
    return t("{device} signed in from {place}.", device=device, place=place)


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
        t("Sign-in from a new device or place"),
        f"{_signed_in(fact, t)} {new[fact.reason]} {not_you}",
        SESSIONS,
    )


def _session_ended(fact: auth.SessionEnded, t: Texts) -> Wording | None:
    if fact.reason in {"reuse_detected", "password_changed", "blocked"}:
        return None  # told by its own, louder fact
    device = _device(fact.device_name, t)
    message = (
        t("{device} signed out.", device=device)
        if fact.reason == "logout"
        else t("{device} was signed out.", device=device)
    )
    return Wording("LOGOUT", t("Signed out"), message, SESSIONS)


def _reuse(fact: auth.SessionReuseDetected, t: Texts) -> Wording:
    device = _device(fact.device_name, t)
    what = t("An old refresh token of {device} was used again, so the session was ended.", device=device)
    not_you = t("If that was not you, change your password.")
    return Wording("SESSION_REUSE", t("A session was ended for safety"), f"{what} {not_you}", SESSIONS)


def _password_changed(fact: auth.UserPasswordChanged, t: Texts) -> Wording:
    message = (
        t("It was changed, and all other sessions were ended. If that was not you, reset it now.")
        if fact.how == "changed"
        else t("It was reset through a mailed link, and all sessions were ended. If that was not you, reset it now.")
    )
    return Wording("PASSWORD_CHANGED", t("Your password was changed"), message, SESSIONS)


def _email_changed(fact: auth.UserEmailChanged, t: Texts) -> Wording:
    message = (
        t("It is {email} now. From the old address this can be undone for some days.", email=fact.email)
        if fact.how == "changed"
        else t("It is {email} again: the change was undone, and all sessions were ended.", email=fact.email)
    )
    return Wording("EMAIL_CHANGED", t("Your email address was changed"), message, "/api/v1/auth/me")


def _locked(fact: auth.LoginLocked, t: Texts) -> Wording:
    if fact.factor == "second":
        return _second_factor_locked(fact, t)
    lasts = (
        t("The lock lasts until {time}.", time=t.time(fact.until))
        if fact.until
        else t("The lock lasts until you reset your password by email.")
    )
    given = t("A wrong password was entered {count} times in a row.", count=fact.failures)
    return Wording("ACCOUNT_LOCKED", t("Sign-in by password is locked"), f"{given} {lasts}", SECURITY_EVENTS)


def _second_factor_locked(fact: auth.LoginLocked, t: Texts) -> Wording:
    given = t("After the right password, a wrong code was entered {count} times in a row.", count=fact.failures)
    lasts = (
        t("The lock lasts until {time}.", time=t.time(fact.until))
        if fact.until
        else t("The lock lasts until the second factor is reset.")
    )
    not_you = t("If that was not you, change your password.")
    return Wording("ACCOUNT_LOCKED", t("Your second factor is locked"), f"{given} {lasts} {not_you}", SECURITY_EVENTS)


def _method(name: str, t: Texts) -> str:
    return {
        "totp": t("an authenticator app"),
        "sms": t("codes by SMS"),
        "email": t("codes by email"),
    }[name]


def _mfa_enabled(fact: auth.MfaEnabled, t: Texts) -> Wording:
    from_now = t("From now on, signing in also takes {method}.", method=_method(fact.method, t))
    not_you = t("If that was not you, change your password.")
    return Wording("MFA_ENABLED", t("A second factor was turned on"), f"{from_now} {not_you}", "/api/v1/auth/me")


def _mfa_disabled(fact: auth.MfaDisabled, t: Texts) -> Wording:
    what = t("your second factor") if fact.method == "all" else _method(fact.method, t)
    why = {
        "removed": t("Turned off from one of your sessions: {method}.", method=what),
        "recovered": t("Turned off because its device was reported lost: {method}.", method=what),
        "admin": t("Turned off by an administrator: {method}.", method=what),
    }[fact.reason]
    not_you = t("If that was not you, change your password and turn it on again.")
    return Wording("MFA_DISABLED", t("A second factor was turned off"), f"{why} {not_you}", "/api/v1/auth/me")


def _api_key_created(fact: auth.ApiKeyCreated, t: Texts) -> Wording:
    made = t("The key “{name}” ({hint}…) was created.", name=fact.name, hint=fact.hint)
    not_you = t("If that was not you, delete it and change your password.")
    return Wording("API_KEY_CREATED", t("New API key"), f"{made} {not_you}", "/api/v1/auth/api-keys")


def _registered(fact: auth.UserRegistered, t: Texts) -> Wording:
    hello = t("Hello {name}, your account is ready.", name=fact.name)
    return Wording("SIGNUP", t("Welcome to Grove"), hello, "/api/v1/auth/me")


def _profile_updated(fact: resource.ProfileUpdated, t: Texts) -> Wording:
    named = {"name": t("name"), "bio": t("bio"), "photo": t("photo")}
    changed = ", ".join(named.get(field, field) for field in fact.changed)
    return Wording(
        "PROFILE_UPDATED", t("Your profile was changed"), t("Changed: {fields}.", fields=changed), "/api/v1/profile"
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
