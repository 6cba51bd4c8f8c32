"""What a key stands for at this moment, asked of the store itself: by auth's own routes, and for the other services."""

from collections.abc import Sequence
from uuid import UUID

from grove.core.clock import now
from grove.web.api_keys import KeyAnswer, KeyBearer, KeyQuestion
from grove_auth.api_keys import rules
from grove_auth.api_keys.repository import ApiKeyRepository
from grove_auth.models import ApiKey, User
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

    async def are_active(self, asked: Sequence[tuple[UUID, str, str]]) -> list[bool]:
        """Of each user, key and secret: whether that secret of the user's key still counts."""
        if not asked:
            return []
        keys = {key.id: key for key in await self._keys.some({UUID(key_id) for _, key_id, _ in asked})}
        users = {user.id: user for user in await self._users.some({key.user_id for key in keys.values()})}
        minimum = await self._token_versions.minimum()
        return [
            (key := keys.get(UUID(key_id))) is not None
            and key.user_id == user_id
            and _bearer(key, secret_id, users.get(user_id), minimum) is not None
            for user_id, key_id, secret_id in asked
        ]

    async def _bearer(self, key: ApiKey, secret_id: str) -> KeyBearer | None:
        user = await self._users.get(key.user_id)
        return _bearer(key, secret_id, user, await self._token_versions.minimum())


def _bearer(key: ApiKey, secret_id: str, user: User | None, minimum: int) -> KeyBearer | None:
    moment = now()
    ends = rules.end_of(key, secret_id, moment)
    if ends is None or user is None or not rules.alive(key, user, minimum, moment):
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
