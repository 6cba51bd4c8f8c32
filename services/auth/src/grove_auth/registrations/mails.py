"""Mails with a secret, or without an account, as commands to the notification service."""

import json
from typing import Any, Literal
from uuid import UUID

from grove.contracts.auth import MailRequested
from grove.core.ids import new_id
from grove.security.encryption import FieldCipher


def mail_requested(
    cipher: FieldCipher,
    template: Literal[
        "verify_email",
        "already_registered",
        "reset_password",
        "account_deleted",
        "change_email",
        "email_taken",
        "email_changed",
        "email_change_undone",
        "new_sign_in",
        "login_locked",
        "session_reuse",
        "password_changed",
        "mfa_changed",
        "api_key_created",
        "passkey_changed",
    ],
    *,
    to: str,
    locale: str,
    variables: dict[str, Any],
    user_id: UUID | None = None,
) -> MailRequested:
    """The command; address and variables are readable for the notification service only."""
    mail_id = new_id()
    sealed = cipher.seal(json.dumps({"to": to, "variables": variables}), purpose=f"mail:{mail_id}")
    return MailRequested(mail_id=mail_id, template=template, user_id=user_id, locale=locale, sealed=sealed)
