"""Queries on identities."""

from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.models import Identity


class IdentityRepository:
    """Identities."""

    async def by_subject(self, issuer: str, subject: str) -> Identity | None:
        """Somebody at an issuer."""
        return await Identity.find_one({"issuer": issuer, "subject": subject})

    async def of_user(self, user_id: UUID) -> list[Identity]:
        """The user's, oldest first."""
        return await Identity.find({"user_id": user_id}).sort("created_at").to_list()

    async def count(self, user_id: UUID, transaction: AsyncClientSession) -> int:
        """How many the user has."""
        return await Identity.find({"user_id": user_id}, session=transaction).count()

    async def insert(self, identity: Identity, transaction: AsyncClientSession) -> None:
        """A new one. Raises DuplicateKeyError when it is linked, or its user has another of the provider."""
        await identity.insert(session=transaction)

    async def delete_all(self, user_id: UUID, transaction: AsyncClientSession) -> None:
        """Remove all of the user's."""
        await Identity.get_pymongo_collection().delete_many({"user_id": user_id}, session=transaction)

    async def delete(self, user_id: UUID, provider: str, transaction: AsyncClientSession) -> bool:
        """Remove one; False when there is none."""
        gone = await Identity.get_pymongo_collection().delete_one(
            {"user_id": user_id, "provider": provider}, session=transaction
        )
        return gone.deleted_count == 1
