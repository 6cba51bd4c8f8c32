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
