"""What a key stands for at this moment, asked of the store itself: by auth's own routes, and for the other services."""

from uuid import UUID

from grove.core.clock import now
from grove.web.api_keys import KeyAnswer, KeyBearer, KeyQuestion
from grove_auth.api_keys import rules
from grove_auth.api_keys.repository import ApiKeyRepository
from grove_auth.models import ApiKey
from grove_auth.token_versions.store import GlobalVersion
from grove_auth.users.repository import UserRepository


class KeyBearers:
    """Looks keys up."""

    def __init__(self, token_versions: GlobalVersion) -> None:
        self._token_versions = token_versions
        self._keys = ApiKeyRepository()
        self._users = UserRepository()

    async def answer(self, question: KeyQuestion) -> KeyAnswer:
        """Who bears the key with that secret, if it is alive. Its use is kept."""
        found = await self._keys.by_secret(bytes.fromhex(question.secret_hash))
        bearer = await self._bearer(*found) if found is not None else None
        if found is not None and bearer is not None:
            moment = now()
            await self._keys.used(found[0], moment, moment - rules.USED_EVERY)
        return KeyAnswer(bearer=bearer)

    async def is_active(self, user_id: UUID, api_key_id: str, secret_id: str) -> bool:
        """Whether that secret of the key still counts."""
        key = await self._keys.get(UUID(api_key_id))
        return key is not None and key.user_id == user_id and await self._bearer(key, secret_id) is not None

    async def _bearer(self, key: ApiKey, secret_id: str) -> KeyBearer | None:
        moment = now()
        ends = rules.end_of(key, secret_id, moment)
        user = await self._users.get(key.user_id)
        if ends is None or user is None or not rules.alive(key, user, await self._token_versions.minimum(), moment):
            return None
        return KeyBearer(
            user_id=user.id,
            api_key_id=str(key.id),
            secret_id=secret_id,
            scopes=sorted(rules.grantable(user) & set(key.scopes)),
            version=key.version,
            global_version=key.global_version,
            created_at=key.created_at,
            expires_at=ends,
        )
