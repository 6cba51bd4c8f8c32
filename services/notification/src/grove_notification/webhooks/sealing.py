"""An endpoint's keys at rest."""

from uuid import UUID

from grove.security.encryption import FieldCipher
from grove_notification.webhooks.signing import Keys


def seal_keys(cipher: FieldCipher, webhook_id: UUID, keys: Keys) -> str:
    """What is stored."""
    return cipher.seal(keys.dumps(), purpose=_purpose(webhook_id))


def open_keys(cipher: FieldCipher, webhook_id: UUID, sealed: str) -> Keys:
    """What was sealed. Raises DecryptionFailed."""
    return Keys.loads(cipher.open(sealed, purpose=_purpose(webhook_id)))


def _purpose(webhook_id: UUID) -> str:
    return f"webhook:{webhook_id}"
