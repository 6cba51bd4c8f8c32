"""What the acts in an account's history are called. Clients that have words of their own go by the type."""

from collections.abc import Mapping
from typing import Any

WORDS: dict[tuple[str, str], str] = {
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
