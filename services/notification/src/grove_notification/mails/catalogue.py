"""Every mail there is: its subject, and what it is about."""

from dataclasses import dataclass
from typing import Literal

from grove_notification.mails.marking import worded

Kind = Literal["security", "account", "notice", "digest"]


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """`templates/<name>.mjml` and `.txt`."""

    name: str
    kind: Kind
    subject: str


_ALL = (
    MailTemplate("verify_email", "account", worded("Confirm your address")),
    MailTemplate("already_registered", "account", worded("You already have an account")),
    MailTemplate("reset_password", "security", worded("Set a new password")),
    MailTemplate("invitation", "account", worded("You have an account")),
    MailTemplate("welcome", "account", worded("Welcome to Grove")),
    MailTemplate("account_deleted", "account", worded("Your account was deleted")),
    MailTemplate("deletion_scheduled", "account", worded("Your account will be deleted")),
    MailTemplate("mfa_code", "security", worded("Your code")),
    MailTemplate("mfa_recovery", "security", worded("Was your second factor lost?")),
    MailTemplate("mfa_recovery_ended", "security", worded("Your second factor was reported lost")),
    MailTemplate("change_email", "account", worded("Confirm your new address")),
    MailTemplate("email_taken", "security", worded("Somebody wanted to use your address")),
    MailTemplate("email_changed", "security", worded("The address of your account was changed")),
    MailTemplate("email_change_undone", "security", worded("A change of address was taken back")),
    MailTemplate("new_sign_in", "security", worded("A new sign-in to your account")),
    MailTemplate("login_locked", "security", worded("Wrong passwords for your account")),
    MailTemplate("session_reuse", "security", worded("A session was ended for safety")),
    MailTemplate("password_changed", "security", worded("Your password was changed")),
    MailTemplate("mfa_changed", "security", worded("Your second factors were changed")),
    MailTemplate("mfa_locked", "security", worded("Wrong codes for your account")),
    MailTemplate("api_key_created", "security", worded("A new API key for your account")),
    MailTemplate("passkey_changed", "security", worded("Your passkeys were changed")),
    MailTemplate("passkey_copied", "security", worded("One of your passkeys may have been copied")),
    MailTemplate("identity_changed", "security", worded("The ways into your account were changed")),
    MailTemplate("notification", "notice", worded("News from Grove")),
    MailTemplate("digest", "digest", worded("What happened in Grove")),
    MailTemplate("webhook_disabled", "account", worded("A webhook was switched off")),
)
TEMPLATES: dict[str, MailTemplate] = {each.name: each for each in _ALL}
