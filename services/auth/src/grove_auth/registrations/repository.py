"""Queries on registrations."""

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.models import Registration


class RegistrationRepository:
    """Pending registrations. The TTL sweep is late by up to a minute, so expiry is checked here too."""

    async def insert(self, registration: Registration, transaction: AsyncClientSession) -> None:
        """A new one; others for the same address stay until one is verified."""
        await registration.insert(session=transaction)

    async def newest(self, email: str) -> Registration | None:
        """The newest for the address."""
        found = await Registration.find({"email": email}).sort("-created_at").limit(1).to_list()
        return found[0] if found and found[0].expires_at > now() else None

    async def by_token(self, token_hash: bytes) -> Registration | None:
        """The one whose link bears the token."""
        found = await Registration.find_one({"token_hash": token_hash})
        return found if found and found.expires_at > now() else None

    async def replace_token(
        self, registration: Registration, token_hash: bytes, transaction: AsyncClientSession
    ) -> None:
        """A new link; the old one no longer works."""
        await Registration.get_pymongo_collection().update_one(
            {"_id": registration.id}, {"$set": {"token_hash": token_hash}}, session=transaction
        )

    async def consume(self, registration: Registration, transaction: AsyncClientSession) -> bool:
        """Use it up, and all others for its address; False when it was used before."""
        collection = Registration.get_pymongo_collection()
        gone = await collection.delete_one({"_id": registration.id}, session=transaction)
        await collection.delete_many({"email": registration.email}, session=transaction)
        return gone.deleted_count == 1

    async def discard(self, email: str, transaction: AsyncClientSession) -> None:
        """None for the address any more: it has an account."""
        await Registration.get_pymongo_collection().delete_many({"email": email}, session=transaction)
