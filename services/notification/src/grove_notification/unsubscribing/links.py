"""Tokens in the unsubscribe links of notices: sealed, so that nobody can make one for somebody else."""

import json
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

from grove.core.errors import Gone
from grove.security.encryption import DecryptionFailed, FieldCipher

API_PATH = "/api/v1/notification-preferences/unsubscribe"
PAGE_PATH = "/unsubscribe"
_PURPOSE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Unsubscribing:
    """Who wants no more of what. `notification_type`: None for all mails that can be switched off."""

    user_id: UUID
    notification_type: str | None

    def token(self, cipher: FieldCipher) -> str:
        """For a link."""
        return cipher.seal(json.dumps([str(self.user_id), self.notification_type]), purpose=_PURPOSE)

    @classmethod
    def of(cls, token: str, cipher: FieldCipher) -> "Unsubscribing":
        """What the token says. Raises Gone for one that was never given, or whose key is gone."""
        try:
            user_id, notification_type = json.loads(cipher.open(token, purpose=_PURPOSE))
        except DecryptionFailed:
            raise Gone("This link does not work. Switch the mails off in your notification preferences.") from None
        return cls(UUID(user_id), notification_type)


def one_click_url(api_url: str, token: str) -> str:
    """What a mail program posts to (RFC 8058)."""
    return f"{api_url.rstrip('/')}{API_PATH}?token={quote(token, safe='')}"


def page_url(portal_url: str, token: str) -> str:
    """What a person opens."""
    return f"{portal_url.rstrip('/')}{PAGE_PATH}#token={quote(token, safe='')}"
