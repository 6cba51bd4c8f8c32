"""What the acts in an account's history are called. Clients that have words of their own go by the type."""

from collections.abc import Mapping
from typing import Any

WORDS: dict[tuple[str, str], str] = {
    ("account.given_back", "success"): "The account was given back to you, and everybody was signed out",
    ("api_key.created", "success"): "An API key was made",
    ("api_key.deleted", "success"): "An API key was deleted",
    ("api_key.rotated", "success"): "An API key got another secret",
    ("captcha.high_traffic", "failure"): "Many wrong passwords in the whole suite: everyone solves a CAPTCHA",
    ("device.revoked", "success"): "A device is trusted no more",
    ("device.trusted", "success"): "A device is trusted from now on",
    ("email.change_requested", "success"): "Another address was asked for",
    ("email.changed", "success"): "The address was changed",
    ("identity.linked", "success"): "An account at a provider was linked",
    ("identity.unlinked", "success"): "An account at a provider was unlinked",
    ("login.mfa_required", "success"): "A sign-in waits for the second factor",
    ("login.suspicious", "success"): "A sign-in came from a new device or place",
    ("mfa.backup_code_used", "success"): "A backup code was used",
    ("mfa.backup_codes_renewed", "success"): "New backup codes were made",
    ("mfa.code_sent", "success"): "A code was sent to you",
    ("mfa.disabled", "success"): "A second factor was turned off",
    ("mfa.enabled", "success"): "A second factor was turned on",
    ("mfa.locked", "failure"): "The second factor rests after too many wrong codes",
    ("mfa.recovery_begun", "success"): "A lost second factor was reported",
    ("mfa.recovery_cancelled", "success"): "The report of a lost second factor was taken back",
    ("mfa.wrong", "failure"): "A wrong code was entered",
    ("network.locked", "failure"): "Too many wrong passwords came from one network",
    ("passkey.added", "success"): "A passkey was added",
    ("passkey.added", "failure"): "A passkey could not be added",
    ("passkey.cloned", "failure"): "A passkey was refused: there seems to be a copy of it",
    ("passkey.refused", "failure"): "A passkey was refused",
    ("passkey.removed", "success"): "A passkey was removed",
    ("role.created", "success"): "A role was made",
    ("role.deleted", "success"): "A role was deleted",
    ("role.updated", "success"): "A role was changed",
    ("signing_key.created", "success"): "A signing key was made",
    ("signing_key.removed", "success"): "A signing key that is no longer needed was removed",
    ("signing_key.revoked", "success"): "A signing key was revoked",
    ("social.failed", "failure"): "A sign-in through a provider failed",
    ("token_version.raised", "success"): "Everybody was signed out",
    ("user.imported", "success"): "The account was brought over from another system",
    ("account.closed", "success"): "You closed the account; it can be had back until it is deleted",
    ("account.exported", "success"): "You downloaded your data",
    ("account.restored", "success"): "The account was had back",
    ("account.restored", "failure"): "Somebody tried to have the account back with a link that does not work",
    ("audit.exported", "success"): "An operator exported the audit log",
    ("audit.read", "success"): "The audit log was searched",
    ("login.locked", "failure"): "Sign-in by password was locked after too many wrong passwords",
    ("login.refused", "failure"): "A sign-in with the right password was refused",
    ("password.changed", "success"): "The password was changed",
    ("password.reset", "success"): "The password was set anew by a mailed link",
    ("password.reset", "failure"): "Somebody tried to set the password with a link that does not work",
    ("password.reset_requested", "success"): "A link to set a new password was asked for",
    ("password.wrong", "failure"): "A wrong password was entered",
    ("registration.refused", "failure"): "Somebody tried to confirm an address with a link that does not work",
    ("registration.requested", "success"): "Somebody asked for an account with this address",
    ("registration.resent", "success"): "Another link to confirm the address was asked for",
    ("request.refused", "failure"): "A request was refused",
    ("session.ended", "success"): "A session ended",
    ("session.reauthenticated", "success"): "You proved again that it is you",
    ("session.reuse_detected", "failure"): "A sign-in's token was used twice: somebody may have copied it",
    ("session.started", "success"): "You signed in",
    ("user.blocked", "success"): "The account was blocked",
    ("user.created", "success"): "The account was made by an operator",
    ("user.deleted", "success"): "The account was deleted",
    ("user.read", "success"): "An administrator looked at the account",
    ("user.registered", "success"): "The address was confirmed and the account made",
    ("user.unblocked", "success"): "The block was taken back",
    ("user.updated", "success"): "Settings of the account were changed",
    ("users.listed", "success"): "Accounts were listed",
}


def described(entry: Mapping[str, Any]) -> str:
    """A sentence for people."""
    action, outcome = entry["action"], entry["outcome"]
    words = WORDS.get((action, outcome))
    if words is not None:
        return words
    plain = str(action).replace(".", " ").replace("_", " ").capitalize()
    return plain if outcome == "success" else f"{plain}: refused"
