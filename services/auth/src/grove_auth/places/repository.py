"""Queries on known places."""

from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.models import KnownPlaces


class PlaceRepository:
    """What is known of accounts. The caller holds the account's lock, so reading before writing does not race."""

    async def get(self, user_id: UUID, transaction: AsyncClientSession) -> KnownPlaces | None:
        """The account's devices and places."""
        return await KnownPlaces.get(user_id, session=transaction)

    async def store(self, known: KnownPlaces, *, first: bool, transaction: AsyncClientSession) -> None:
        """Write them; `first`: nothing was known before."""
        if first:
            await known.insert(session=transaction)
            return
        await KnownPlaces.get_pymongo_collection().update_one(
            {"_id": known.id}, {"$set": known.model_dump(exclude={"id", "revision_id"})}, session=transaction
        )
