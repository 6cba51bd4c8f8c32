"""Mails with a secret, or without an account, as commands to the notification service."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from grove.contracts.auth import MailRequested, MailTemplate
from grove.core.ids import new_id
from grove.security.encryption import FieldCipher


def mail_requested(
    cipher: FieldCipher,
    template: MailTemplate,
    *,
    to: str,
    locale: str,
    variables: dict[str, Any],
    user_id: UUID | None = None,
    expires_at: datetime | None = None,
) -> MailRequested:
    """The command; address and variables are readable for the notification service only.

    `expires_at`: when the secret in it ends, after which it is not worth sending; None without one.
    """
    mail_id = new_id()
    sealed = cipher.seal(json.dumps({"to": to, "variables": variables}), purpose=f"mail:{mail_id}")
    return MailRequested(
        mail_id=mail_id, template=template, user_id=user_id, locale=locale, sealed=sealed, expires_at=expires_at
    )
