"""The rules of closing an account: at once for good, or first for some days in which it can be had back."""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.auth import MailRequested, UserDeleted
from grove.contracts.catalogue import BY_TYPE
from grove.core.clock import now
from grove.core.errors import Gone, InvalidToken
from grove.core.recurring import every
from grove.mongo.client import MONGO_ERRORS
from grove_auth.deletions.repository import DeletionRepository
from grove_auth.models import DeletedUser, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.registrations.mails import mail_requested
from grove_auth.resources import Resources
from grove_auth.roles.admins import keep_one
from grove_auth.roles.permissions import ADMIN
from grove_auth.sessions.service import SessionService
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()

ALARM_AFTER = timedelta(hours=24)
LOOK_SECONDS = 5
AT_ONCE = 100
MAIL_PAUSE = timedelta(minutes=10)
"""Who signs in to a closed account is mailed the link again, but not more often."""
ERASING = BY_TYPE[UserDeleted.type].consumers
"""The services that keep something of users."""


class DeletionService:
    """Closes accounts and watches over their erasure."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._deletions = DeletionRepository()
        self._sessions = SessionService(resources)

    async def close(self, user_id: UUID) -> datetime | None:
        """What its owner asked for: the account is closed now, and deleted now (None) or at the returned moment."""
        days = self._resources.settings.deletion_grace_days
        if days == 0:
            await self.delete(user_id)
            return None
        token, until = new_token(), now() + timedelta(days=days)

        async def store(transaction: AsyncClientSession) -> None:
            user = await self._deletions.close(user_id, until, token_hash(token), transaction)
            if user is None:
                raise InvalidToken
            await self._sessions.end_all_within(transaction, user, "revoked")
            await self._resources.audit.add("account.closed", user_id, transaction)
            await self._resources.outbox.add(transaction, (self._way_back(user, token, until), 1))

        await self._resources.transaction(store)
        log.info("account.closed", user_id=str(user_id))
        return until

    async def remind(self, user: User) -> None:
        """Its owner signed in to a closed account: mail the link that has it back again."""
        token, until = new_token(), user.closing_at
        if until is None:
            return

        async def store(transaction: AsyncClientSession) -> None:
            if await self._deletions.renew_token(user, token_hash(token), MAIL_PAUSE, transaction):
                await self._resources.outbox.add(transaction, (self._way_back(user, token, until), 1))

        await self._resources.transaction(store)

    async def restore(self, token: str) -> None:
        """Have a closed account back with the token of the mailed link. Raises Gone."""

        async def store(transaction: AsyncClientSession) -> bool:
            user_id = await self._deletions.restore(token_hash(token), transaction)
            outcome: Literal["success", "failure"] = "success" if user_id else "failure"
            await self._resources.audit.add("account.restored", user_id, transaction, outcome=outcome)
            return user_id is not None

        if not await self._resources.transaction(store):
            raise Gone

    async def run(self) -> None:
        """Delete closed accounts whose time is over, until cancelled."""
        await every(LOOK_SECONDS, self.delete_due, away=MONGO_ERRORS)

    async def delete_due(self) -> None:
        """Delete those whose time is over by now. One that is had back meanwhile stays."""
        for user_id in await self._deletions.due(AT_ONCE):
            await self.delete(user_id, only_due=True)

    async def delete(self, user_id: UUID, *, only_due: bool = False) -> None:
        """Delete the account at once: its tokens die, its data goes, the other services hear of it.

        Raises InvalidToken when there is none. `only_due`: nothing happens unless it is closed and its time is over.
        """
        moment = now()
        settings = self._resources.settings
        deleted = DeletedUser(
            id=user_id,
            deleted_at=moment,
            awaiting=list(ERASING),
            expires_at=moment + timedelta(days=settings.deleted_user_days),
        )

        async def store(transaction: AsyncClientSession) -> bool:
            if only_due and not await self._deletions.is_due(user_id, transaction):
                return False
            user = await self._users.get(user_id, transaction)  # its version as it is when its tokens die
            if user is None:
                raise InvalidToken
            sequence = await self._users.next_sequence(user_id, 1, transaction)
            await self._deletions.remove(user, transaction)
            if ADMIN in user.roles:
                await keep_one(transaction)
            await self._deletions.remember(deleted, transaction)
            await self._resources.revocations.end_tokens(transaction, user_id, below=user.token_version + 1)
            await self._resources.audit.add("user.deleted", user_id, transaction)
            fact = UserDeleted(user_id=user_id, deleted_at=moment)
            await self._resources.outbox.add(transaction, (fact, sequence), (self._goodbye(user), 1))
            return True

        if await self._resources.transaction(store):
            log.info("account.deleted", user_id=str(user_id))

    def _goodbye(self, user: User) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "account_deleted",
            to=user.email,
            locale=user.locale,
            variables={"name": user.name},
        )

    def _way_back(self, user: User, token: str, until: datetime) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "deletion_scheduled",
            to=user.email,
            user_id=user.id,
            locale=user.locale,
            variables={"name": user.name, "token": token, "date": until.date().isoformat()},
            expires_at=until,
        )

    async def check(self) -> str | None:
        """A health check: erasures that take too long."""
        overdue = await self._deletions.overdue(now() - ALARM_AFTER)
        if not overdue:
            return None
        services = sorted({service for deleted in overdue for service in deleted.awaiting})
        return (
            f"{len(overdue)} deleted accounts are not erased by {', '.join(services)} after 24 h; "
            f"see their dead letters: grove events dead list {services[0]}"
        )
