"""Queries on the links in alert mails."""

from datetime import datetime
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.models import NotMeLink


class NotMeRepository:
    """Links. The TTL sweep is late by up to a minute, so expiry is checked here too."""

    async def insert(self, link: NotMeLink, transaction: AsyncClientSession) -> None:
        """A new link; older ones go on working."""
        await link.insert(session=transaction)

    async def mailed_since(
        self, user_id: UUID, kind: str, moment: datetime, most: int, transaction: AsyncClientSession
    ) -> int:
        """How many alerts of a kind the account got since then, counted up to `most`."""
        lately = {"user_id": user_id, "kind": kind, "created_at": {"$gt": moment}}
        return len(await NotMeLink.find(lately, session=transaction).limit(most).to_list())

    async def by_token(self, token_hash: bytes) -> NotMeLink | None:
        """The link that bears the token."""
        found = await NotMeLink.get(token_hash)
        return found if found and found.expires_at > now() else None

    async def use(self, link: NotMeLink, transaction: AsyncClientSession) -> bool:
        """Use it up; False when it was used before."""
        gone = await NotMeLink.get_pymongo_collection().delete_one({"_id": link.id}, session=transaction)
        return gone.deleted_count == 1

    async def forget(self, user_id: UUID, transaction: AsyncClientSession) -> None:
        """None of the account's links works any more."""
        await NotMeLink.get_pymongo_collection().delete_many({"user_id": user_id}, session=transaction)
