"""Mail templates → messages with a text and an HTML part."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from grove.core.clock import now

_templates = Environment(
    loader=PackageLoader("grove_notification", "mails/templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

SUBJECTS = {
    "en": {
        "verify_email": "Confirm your address",
        "already_registered": "You already have an account",
        "reset_password": "Set a new password",  # pragma: allowlist secret
        "invitation": "You have an account",
        "account_deleted": "Your account was deleted",
        "deletion_scheduled": "Your account will be deleted",
        "mfa_code": "Your code",
        "mfa_recovery": "Was your second factor lost?",
        "mfa_recovery_ended": "Your lost second factor",
        "welcome": "Welcome to Grove",
        "change_email": "Confirm your new address",
        "email_taken": "Somebody wanted to use your address",
        "email_changed": "The address of your account was changed",
        "email_change_undone": "A change of address was taken back",
        "new_sign_in": "A new sign-in to your account",
        "login_locked": "Wrong passwords for your account",
        "session_reuse": "A session was ended for safety",
        "password_changed": "Your password was changed",  # pragma: allowlist secret
        "mfa_changed": "Your second factor was changed",
        "api_key_created": "A new API key for your account",  # pragma: allowlist secret
        "passkey_changed": "Your passkeys were changed",
        "passkey_copied": "One of your passkeys may have been copied",
        "identity_changed": "The ways into your account were changed",
    },
    "de": {
        "verify_email": "Bestätigen Sie Ihre Adresse",
        "already_registered": "Sie haben schon ein Konto",
        "reset_password": "Setzen Sie ein neues Passwort",  # pragma: allowlist secret
        "invitation": "Sie haben ein Konto",
        "account_deleted": "Ihr Konto wurde gelöscht",
        "deletion_scheduled": "Ihr Konto wird gelöscht",
        "mfa_code": "Ihr Code",
        "mfa_recovery": "Ist Ihr zweiter Faktor verloren?",
        "mfa_recovery_ended": "Ihr verlorener zweiter Faktor",
        "welcome": "Willkommen bei Grove",
        "change_email": "Bestätigen Sie Ihre neue Adresse",
        "email_taken": "Jemand wollte Ihre Adresse verwenden",
        "email_changed": "Die Adresse Ihres Kontos wurde geändert",
        "email_change_undone": "Die Änderung einer Adresse wurde zurückgenommen",
        "new_sign_in": "Eine neue Anmeldung in Ihrem Konto",
        "login_locked": "Falsche Passwörter für Ihr Konto",
        "session_reuse": "Eine Sitzung wurde zur Sicherheit beendet",
        "password_changed": "Ihr Passwort wurde geändert",  # pragma: allowlist secret
        "mfa_changed": "Ihr zweiter Faktor wurde geändert",
        "api_key_created": "Ein neuer API-Schlüssel für Ihr Konto",  # pragma: allowlist secret
        "passkey_changed": "Ihre Passkeys wurden geändert",
        "passkey_copied": "Einer Ihrer Passkeys ist vielleicht kopiert worden",
        "identity_changed": "Die Wege in Ihr Konto wurden geändert",
    },
}


def render(
    template: str, *, mail_id: UUID, locale: str, sender: str, to: str, link_base_url: str, variables: dict[str, Any]
) -> EmailMessage:
    """The mail, in English where its locale has no wording.

    Its Message-ID comes from its id, so that a mail sent twice is the same mail.
    """
    language = locale if locale in SUBJECTS else "en"
    name, address = parseaddr(sender)
    message = EmailMessage()
    message["From"] = Address(name, addr_spec=address)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = SUBJECTS[language][template]
    message["Date"] = format_datetime(now())
    message["Message-ID"] = f"<{mail_id}@{address.rsplit('@', 1)[-1]}>"
    message["Auto-Submitted"] = "auto-generated"
    values = {"locale": language, "link_base_url": link_base_url.rstrip("/"), **variables}
    message.set_content(_templates.get_template(f"{language}/{template}.txt").render(values))
    message.add_alternative(_templates.get_template(f"{language}/{template}.html").render(values), subtype="html")
    message["Content-Language"] = language  # after the content, which would drop it
    return message
