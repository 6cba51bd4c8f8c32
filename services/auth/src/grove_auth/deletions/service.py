"""The rules of closing an account."""

from datetime import timedelta
from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.auth import MailRequested, UserDeleted
from grove.contracts.catalogue import BY_TYPE
from grove.core.clock import now
from grove.core.errors import InvalidToken
from grove_auth.deletions.repository import DeletionRepository
from grove_auth.models import DeletedUser, User
from grove_auth.registrations.mails import mail_requested
from grove_auth.resources import Resources
from grove_auth.roles.admins import keep_one
from grove_auth.roles.permissions import ADMIN
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()

ALARM_AFTER = timedelta(hours=24)
ERASING = BY_TYPE[UserDeleted.type].consumers
"""The services that keep something of users."""


class DeletionService:
    """Closes accounts and watches over their erasure."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._deletions = DeletionRepository()

    async def delete(self, user_id: UUID) -> None:
        """Close the account at once: its tokens die, its data goes, the other services hear of it."""
        moment = now()
        settings = self._resources.settings
        deleted = DeletedUser(
            id=user_id,
            deleted_at=moment,
            awaiting=list(ERASING),
            expires_at=moment + timedelta(days=settings.deleted_user_days),
        )

        async def store(transaction: AsyncClientSession) -> None:
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

        await self._resources.transaction(store)
        log.info("account.deleted", user_id=str(user_id))

    def _goodbye(self, user: User) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "account_deleted",
            to=user.email,
            locale=user.locale,
            variables={"name": user.name},
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
