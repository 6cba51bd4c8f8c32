"""The rules of accounts."""

from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove.contracts.auth import UserUpdated, UserVerified
from grove.core.clock import now
from grove.core.errors import Conflict, InvalidToken
from grove_auth.models import User
from grove_auth.resources import Resources
from grove_auth.users.events import registered
from grove_auth.users.repository import UserRepository
from grove_auth.users.schemas import MePatch


class UserService:
    """Reads and changes accounts."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()

    async def me(self, user_id: UUID) -> User:
        """The account behind a token."""
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidToken
        return user

    async def change(self, user_id: UUID, data: MePatch) -> User:
        """Set the fields that were sent; other services hear of locale and timezone."""
        user = await self.me(user_id)
        changes = {
            name: getattr(data, name) for name in data.model_fields_set if getattr(user, name) != getattr(data, name)
        }

        async def store(transaction: AsyncClientSession) -> None:
            await self._users.update(user_id, changes, transaction)
            if {"locale", "timezone"} & set(changes):
                told = user.model_copy(update=changes)
                fact = UserUpdated(user_id=user_id, locale=told.locale, timezone=told.timezone, roles=told.roles)
                await self._resources.facts.add(transaction, user_id, fact)
            await self._resources.audit.add("user.updated", user_id, transaction, fields=" ".join(sorted(changes)))

        if changes:
            await self._resources.transaction(store)
        return await self.me(user_id)

    async def create_admin(self, email: str, name: str, password: str) -> User:
        """An administrator with a verified address. Raises Conflict for a taken one."""
        moment = now()
        user = User(
            email=email,
            name=name,
            password_hash=await self._resources.passwords.hash(password),
            roles=["user", "admin"],
            locale="en",
            timezone="UTC",
            sequence=2,
            created_at=moment,
            updated_at=moment,
        )

        async def store(transaction: AsyncClientSession) -> None:
            await self._users.insert(user, transaction)
            await self._resources.outbox.add(
                transaction, (registered(user), 1), (UserVerified(user_id=user.id, email=email), 2)
            )
            await self._resources.audit.add("user.created", user.id, transaction, roles=" ".join(user.roles))

        try:
            await self._resources.transaction(store)
        except DuplicateKeyError:
            raise Conflict(f"There is already an account with the address {email}.") from None
        return user
