"""The rules of trusted devices.

A device counts while the account's `standing` is what it was: a new password, an ended token version and any change of
the second factors void it in the same step, with nothing to clean up in time.
"""

from datetime import datetime, timedelta
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove.core.context import current_context
from grove.core.errors import InvalidToken
from grove_auth.devices.cookies import DeviceToken
from grove_auth.devices.errors import DeviceNotFound
from grove_auth.devices.repository import DeviceRepository
from grove_auth.models import TrustedDevice, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.resources import Resources
from grove_auth.sessions.device import describe
from grove_auth.users.repository import UserRepository


class DeviceService:
    """Trusts browsers, and stops to."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._devices = DeviceRepository()

    async def trusted(self, user_id: UUID, token: str | None) -> UUID | None:
        """The id of the user's trusted device that bears the token; None when it is nobody's, or somebody else's."""
        device = await self._devices.by_token(token_hash(token)) if token else None
        if device is None or device.user_id != user_id:
            return None
        user = await self._users.get(user_id)
        return device.id if user is not None and user.standing == device.standing else None

    async def may_skip(self, user: User, token: str | None) -> datetime | None:
        """When a second factor was last proven on the device that bears the token; None when one is needed now.

        It is used for a sign-in then.
        """
        device = await self._devices.by_token(token_hash(token)) if token else None
        if device is None or device.user_id != user.id or device.standing != user.standing:
            return None
        await self._devices.used(device.id, now())
        return device.created_at

    async def trust(self, user: User, name: str | None) -> DeviceToken:
        """Trust the browser of this request, whose user just proved a second factor."""
        context, moment, token = current_context(), now(), new_token()
        lives = timedelta(days=self._resources.settings.trusted_device_days)
        device = TrustedDevice(
            user_id=user.id,
            token_hash=token_hash(token),
            standing=user.standing,
            name=describe(context.user_agent if context else "", name).name,
            created_at=moment,
            last_used_at=moment,
            expires_at=moment + lives,
        )

        async def store(transaction: AsyncClientSession) -> None:
            await self._devices.insert(device, transaction)
            await self._resources.audit.add(
                "device.trusted", user.id, transaction, actor_id=user.id, device=str(device.id)
            )

        await self._resources.transaction(store)
        return DeviceToken(token, int(lives.total_seconds()))

    async def of_user(self, user_id: UUID) -> list[TrustedDevice]:
        """The user's, newest first."""
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidToken
        return await self._devices.of_user(user_id, user.standing)

    async def revoke(self, user_id: UUID, device_id: UUID) -> None:
        """Trust it no more. Raises DeviceNotFound."""

        async def store(transaction: AsyncClientSession) -> None:
            if not await self._devices.delete(user_id, device_id, transaction):
                raise DeviceNotFound
            await self._resources.audit.add("device.revoked", user_id, transaction, device=str(device_id))

        await self._resources.transaction(store)

    async def revoke_all(self, user_id: UUID) -> None:
        """Trust none of the user's."""

        async def store(transaction: AsyncClientSession) -> None:
            if await self._devices.delete_all(user_id, transaction):
                await self._resources.audit.add("device.revoked", user_id, transaction, device="all")

        await self._resources.transaction(store)
