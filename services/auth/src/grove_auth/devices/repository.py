"""Queries on trusted devices."""

from datetime import datetime
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.models import TrustedDevice


class DeviceRepository:
    """Devices. The TTL sweep is late by up to a minute, so expiry is checked here too."""

    async def by_token(self, token_hash: bytes) -> TrustedDevice | None:
        """The one whose token it is."""
        found = await TrustedDevice.find_one({"token_hash": token_hash})
        return found if found and found.expires_at > now() else None

    async def of_user(self, user_id: UUID, standing: str) -> list[TrustedDevice]:
        """The user's that count, newest first."""
        found = TrustedDevice.find({"user_id": user_id, "standing": standing, "expires_at": {"$gt": now()}})
        return await found.sort("-created_at").to_list()

    async def insert(self, device: TrustedDevice, transaction: AsyncClientSession) -> None:
        """A new one."""
        await device.insert(session=transaction)

    async def used(self, device_id: UUID, moment: datetime) -> None:
        """Somebody signed in from it."""
        await TrustedDevice.get_pymongo_collection().update_one({"_id": device_id}, {"$set": {"last_used_at": moment}})

    async def delete(self, user_id: UUID, device_id: UUID, transaction: AsyncClientSession) -> bool:
        """Trust it no more; False when there is none."""
        gone = await TrustedDevice.get_pymongo_collection().delete_one(
            {"_id": device_id, "user_id": user_id}, session=transaction
        )
        return gone.deleted_count == 1

    async def delete_all(self, user_id: UUID, transaction: AsyncClientSession) -> int:
        """Trust none of them; how many there were."""
        gone = await TrustedDevice.get_pymongo_collection().delete_many({"user_id": user_id}, session=transaction)
        return gone.deleted_count
