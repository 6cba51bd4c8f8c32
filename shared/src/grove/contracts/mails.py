"""The variables of the mails that auth asks for. Both sides are tested against this list."""

_ALERT = frozenset({"name", "token", "days", "at", "timezone"})
"""Of every alert, added by auth itself: `token` is that of the "not me" link, which works `days` days; `at`: when, as
an ISO time like every time in here; `timezone`: by whose clock it is told.
"""

ALERTS: dict[str, frozenset[str]] = {
    "new_sign_in": frozenset({"device", "browser", "os", "place", "ip"}),  # place: "Berlin, DE", or "": not known
    "login_locked": frozenset({"failures", "until"}),  # until: when it ends, or "" for until a reset
    "session_reuse": frozenset({"device", "browser", "os", "ip"}),
    "password_changed": frozenset({"how"}),  # changed | reset
    "mfa_changed": frozenset({"change", "method"}),  # change: enabled | disabled; method: totp | sms | email | all
    "mfa_locked": frozenset({"failures", "until"}),  # until: when it ends, or "" for until a recovery
    "api_key_created": frozenset({"key_name"}),
    "passkey_changed": frozenset({"change", "passkey_name"}),  # change: added | removed
    "passkey_copied": frozenset({"passkey_name"}),
    "identity_changed": frozenset({"change", "provider"}),  # change: linked | unlinked; provider: its key
}
"""Alerts, each with what it adds to the variables of all."""

MAILS: dict[str, frozenset[str]] = {
    "verify_email": frozenset({"token", "hours"}),
    "already_registered": frozenset({"name"}),
    "reset_password": frozenset({"name", "token", "minutes"}),
    "invitation": frozenset({"token", "hours"}),  # to an account that somebody else made
    "account_deleted": frozenset({"name"}),
    "deletion_scheduled": frozenset({"name", "token", "date"}),
    "mfa_code": frozenset({"name", "code", "minutes"}),
    "mfa_recovery": frozenset({"name", "token", "hours"}),
    "mfa_recovery_ended": frozenset({"name", "cancelled"}),
    "change_email": frozenset({"token", "hours"}),  # to the new address
    "email_taken": frozenset({"name"}),  # to the owner of the address that somebody wanted
    "email_changed": frozenset({"name", "token", "days", "at", "timezone"}),  # to the old address; token: takes it back
    "email_change_undone": frozenset({"name"}),  # to the address that was taken away again
    **{template: variables | _ALERT for template, variables in ALERTS.items()},
}
"""Every mail that auth asks for. To an address that nobody proved yet goes nothing that somebody typed, not even a
name: a registration would send whatever it says to whomever it names.
"""
