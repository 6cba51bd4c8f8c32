"""Answers under an Idempotency-Key, sealed: some have a secret in them, which is kept nowhere as it is."""

from dataclasses import replace
from uuid import UUID

from grove.security.encryption import DecryptionFailed, FieldCipher
from grove.web.idempotency import IdempotencyStore, StoredResponse
from grove_notification.webhooks.errors import AnswerUnreadable


class SealedAnswers:
    """Seals what another store keeps."""

    def __init__(self, store: IdempotencyStore, cipher: FieldCipher) -> None:
        self._store = store
        self._cipher = cipher

    async def begin(self, user_id: UUID, key: str) -> StoredResponse | None:
        """Take the key for this transaction; the stored answer if there is one. Raises StillRunning."""
        stored = await self._store.begin(user_id, key)
        if stored is None:
            return None
        try:
            body = self._cipher.open(stored.body.decode(), purpose=_purpose(user_id, key))
        except (DecryptionFailed, UnicodeDecodeError):
            raise AnswerUnreadable from None
        return replace(stored, body=body.encode())

    async def save(self, user_id: UUID, key: str, response: StoredResponse) -> None:
        """Keep the answer, in the transaction."""
        sealed = self._cipher.seal(response.body.decode(), purpose=_purpose(user_id, key))
        await self._store.save(user_id, key, replace(response, body=sealed.encode()))


def _purpose(user_id: UUID, key: str) -> str:
    return f"idempotency:{user_id}:{key}"
