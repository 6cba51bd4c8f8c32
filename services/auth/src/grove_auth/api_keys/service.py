"""The rules of API keys: made and rotated by who just proved who they are, and dead everywhere when they are ended."""

from datetime import timedelta
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove.core.errors import Conflict, InvalidToken
from grove.core.ids import new_id
from grove.security.api_keys import hint_of, new_secret, secret_hash
from grove.security.principal import Principal
from grove_auth.alerts.service import AlertService
from grove_auth.api_keys import events, rules
from grove_auth.api_keys.errors import ApiKeyNotFound, TooManyApiKeys, not_grantable
from grove_auth.api_keys.repository import ApiKeyRepository
from grove_auth.api_keys.schemas import ApiKeyCreate
from grove_auth.models import ApiKey, User
from grove_auth.resources import Resources
from grove_auth.users.repository import UserRepository


class ApiKeyService:
    """Makes, lists, rotates and deletes keys."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._keys = ApiKeyRepository()
        self._alerts = AlertService(resources)

    async def create(self, principal: Principal, data: ApiKeyCreate) -> tuple[ApiKey, str]:
        """A new key and its secret. Raises TooManyApiKeys, or Invalid for scopes that it can't have.

        It bears the versions of the token that asked for it: what ends that one ends the key.
        """
        user = await self._user(principal.user_id)
        refused = sorted(set(data.scopes) - rules.grantable(user))
        if refused:
            raise not_grantable(refused)
        secret = new_secret()
        key = ApiKey(
            user_id=user.id,
            name=data.name,
            hint=hint_of(secret),
            scopes=sorted(set(data.scopes)),
            secret_hash=secret_hash(secret),
            version=principal.version,
            global_version=principal.global_version,
            created_at=now(),
            expires_at=data.expires_at,
        )

        async def store(transaction: AsyncClientSession) -> None:
            # The event's number is taken under the account's lock, so no other key comes between count and insert.
            await self._resources.facts.add(transaction, user.id, events.created(key))
            if len(await self._of(user, transaction)) >= rules.MOST:
                raise TooManyApiKeys
            await self._keys.insert(key, transaction)
            await self._alerts.add(transaction, user, "api_key_created", key_name=key.name)
            await self._resources.audit.add(
                "api_key.created", user.id, transaction, api_key=str(key.id), scopes=" ".join(key.scopes)
            )

        await self._resources.transaction(store)
        return key, secret

    async def of_user(self, user_id: UUID) -> list[ApiKey]:
        """The user's living keys, newest first."""
        return await self._of(await self._user(user_id))

    async def rotate(self, principal: Principal, key_id: UUID, overlap: timedelta) -> tuple[ApiKey, str]:
        """Another secret; the one before works until `overlap` is over. Raises ApiKeyNotFound or Conflict."""
        key = await self._living(principal.user_id, key_id)
        secret, moment = new_secret(), now()
        kept = bool(overlap)
        rotated = key.model_copy(
            update={
                "hint": hint_of(secret),
                "secret_id": str(new_id()),
                "secret_hash": secret_hash(secret),
                "old_secret_id": key.secret_id if kept else None,
                "old_secret_hash": key.secret_hash if kept else None,
                "old_until": moment + overlap if kept else None,
                "version": principal.version,
                "global_version": principal.global_version,
                "rotated_at": moment,
            }
        )

        async def store(transaction: AsyncClientSession) -> None:
            if not await self._keys.replace_secret(key, rotated, transaction):
                raise Conflict("The key was rotated or deleted by another request meanwhile.")
            ended = [key.old_secret_id] if kept else [key.old_secret_id, key.secret_id]
            await self._end(transaction, ended)
            await self._resources.audit.add("api_key.rotated", key.user_id, transaction, api_key=str(key.id))

        await self._resources.transaction(store)
        return rotated, secret

    async def delete(self, user_id: UUID, key_id: UUID) -> None:
        """End the key everywhere. Raises ApiKeyNotFound."""

        async def store(transaction: AsyncClientSession) -> None:
            key = await self._keys.get(key_id, transaction)  # its secrets as they are when it goes
            if key is None or key.user_id != user_id or not await self._keys.delete(key, transaction):
                raise ApiKeyNotFound
            await self._end(transaction, [key.old_secret_id, key.secret_id])
            await self._resources.facts.add(transaction, user_id, events.deleted(key))
            await self._resources.audit.add("api_key.deleted", user_id, transaction, api_key=str(key_id))

        await self._resources.transaction(store)

    async def _end(self, transaction: AsyncClientSession, secret_ids: list[str | None]) -> None:
        for secret_id in secret_ids:
            if secret_id is not None:
                await self._resources.revocations.add(transaction, "api_key", secret_id)

    async def _of(self, user: User, transaction: AsyncClientSession | None = None) -> list[ApiKey]:
        minimum, moment = await self._resources.token_versions.current(), now()
        keys = await self._keys.of_user(user.id, transaction)
        return [key for key in keys if rules.alive(key, user, minimum, moment)]

    async def _living(self, user_id: UUID, key_id: UUID) -> ApiKey:
        user = await self._user(user_id)
        key = await self._keys.get(key_id)
        minimum = await self._resources.token_versions.current()
        if key is None or key.user_id != user_id or not rules.alive(key, user, minimum, now()):
            raise ApiKeyNotFound
        return key

    async def _user(self, user_id: UUID) -> User:
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidToken
        return user
