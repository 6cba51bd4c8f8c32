"""What is told about second factors by mail, and the words of an SMS."""

from datetime import datetime
from typing import Any, Literal

from grove.contracts.auth import MailRequested
from grove_auth.models import User
from grove_auth.registrations.mails import mail_requested
from grove_auth.resources import Resources

_SMS = {
    "en": "{code} is your {issuer} code. Tell it nobody.",
    "de": "{code} ist Ihr {issuer}-Code. Sagen Sie ihn niemandem.",
}


def mfa_mail(
    resources: Resources,
    user: User,
    template: Literal["mfa_code", "mfa_recovery", "mfa_recovery_ended"],
    expires_at: datetime | None = None,
    **variables: Any,
) -> MailRequested:
    """A mail to the account's address. `expires_at`: when the code or link in it ends."""
    return mail_requested(
        resources.mail_cipher,
        template,
        to=user.email,
        user_id=user.id,
        locale=user.locale,
        variables={"name": user.name, **variables},
        expires_at=expires_at,
    )


def sms_text(user: User, code: str, issuer: str) -> str:
    """The message that bears a code, in the user's language."""
    return _SMS.get(user.locale, _SMS["en"]).format(code=code, issuer=issuer)
