"""Publishes what happened to accounts."""

from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.event import EventData
from grove.outbox.mongo import MongoOutbox
from grove_auth.users.repository import UserRepository


class AccountFacts:
    """Adds events of accounts to the outbox, numbered under the account's lock."""

    def __init__(self, outbox: MongoOutbox) -> None:
        self._outbox = outbox
        self._users = UserRepository()

    async def add(self, transaction: AsyncClientSession, user_id: UUID, *facts: EventData) -> None:
        """Tell the other services. Raises InvalidToken when the account was deleted meanwhile."""
        first = await self._users.next_sequence(user_id, len(facts), transaction)
        await self._outbox.add(transaction, *((fact, first + offset) for offset, fact in enumerate(facts)))
