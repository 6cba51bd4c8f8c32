"""The way back for who lost the device: by mail and a long wait, which whoever reads the mail can stop."""

from datetime import timedelta

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove.core.clock import now
from grove.core.errors import Gone
from grove.core.recurring import every
from grove.mongo.client import MONGO_ERRORS
from grove_auth.mfa.errors import FactorsChanged
from grove_auth.mfa.factors import FactorService
from grove_auth.mfa.mails import mfa_mail
from grove_auth.models import MfaRecovery, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.resources import Resources
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()

LOOK_SECONDS = 5
AT_ONCE = 100


class RecoveryRepository:
    """Queries on recoveries."""

    async def begin(self, recovery: MfaRecovery, transaction: AsyncClientSession) -> None:
        """A new one, unless one waits. Raises DuplicateKeyError then; one that is void gives way."""
        collection = MfaRecovery.get_pymongo_collection()
        await collection.delete_one({"_id": recovery.id, "standing": {"$ne": recovery.standing}}, session=transaction)
        await recovery.insert(session=transaction)

    async def by_link(self, cancel_hash: bytes) -> MfaRecovery | None:
        """The one whose mailed link it is."""
        return await MfaRecovery.find_one({"cancel_hash": cancel_hash})

    async def of_user(self, user: User) -> MfaRecovery | None:
        """The user's."""
        return await MfaRecovery.get(user.id)

    async def due(self) -> list[MfaRecovery]:
        """Those whose wait is over."""
        return await MfaRecovery.find({"due_at": {"$lte": now()}}).limit(AT_ONCE).to_list()

    async def end(self, recovery: MfaRecovery, transaction: AsyncClientSession | None = None) -> bool:
        """Remove it; False when it was done or cancelled before."""
        gone = await MfaRecovery.get_pymongo_collection().delete_one(
            {"_id": recovery.id, "cancel_hash": recovery.cancel_hash}, session=transaction
        )
        return gone.deleted_count == 1


class RecoveryService:
    """Begins recoveries, cancels them, and turns second factors off when their wait is over."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._recoveries = RecoveryRepository()
        self._factors = FactorService(resources)

    async def begin(self, user: User) -> None:
        """Let the wait begin and tell the user by mail; one that waits already goes on as it is."""
        hours, token = self._resources.settings.mfa_recovery_hours, new_token()
        recovery = MfaRecovery(
            id=user.id,
            standing=user.standing,
            cancel_hash=token_hash(token),
            due_at=now() + timedelta(hours=hours),
        )
        mail = mfa_mail(self._resources, user, "mfa_recovery", expires_at=recovery.due_at, token=token, hours=hours)

        async def store(transaction: AsyncClientSession) -> None:
            await self._recoveries.begin(recovery, transaction)
            await self._resources.outbox.add(transaction, (mail, 1))
            await self._resources.audit.add("mfa.recovery_begun", user.id, transaction, actor_id=user.id)

        try:
            await self._resources.transaction(store)
        except DuplicateKeyError:
            return
        log.warning("mfa.recovery_begun", user_id=str(user.id))

    async def cancel(self, token: str) -> None:
        """Stop it by the mailed link. Raises Gone."""
        recovery = await self._recoveries.by_link(token_hash(token))
        user = await self._users.get(recovery.id) if recovery else None
        if recovery is None or user is None or not await self._cancel(recovery, user, "link"):
            raise Gone

    async def not_needed(self, user: User) -> None:
        """The user proved a second factor: it is not lost."""
        recovery = await self._recoveries.of_user(user)
        if recovery is not None:
            await self._cancel(recovery, user, "proven")

    async def run(self) -> None:
        """Turn off what is due, until cancelled."""
        await every(LOOK_SECONDS, self.finish_due, away=MONGO_ERRORS)

    async def finish_due(self) -> None:
        """Turn off the second factors whose recovery waited long enough."""
        for recovery in await self._recoveries.due():
            user = await self._users.get(recovery.id)
            if user is None or user.standing != recovery.standing:
                await self._recoveries.end(recovery)  # void: password or second factors changed meanwhile
                continue
            try:
                await self._finish(recovery, user)
            except (Gone, FactorsChanged):
                continue  # cancelled or changed at this very moment

    async def _finish(self, recovery: MfaRecovery, user: User) -> None:
        mail = mfa_mail(self._resources, user, "mfa_recovery_ended", cancelled=False)

        async def also(transaction: AsyncClientSession) -> None:
            if not await self._recoveries.end(recovery, transaction):
                raise Gone
            await self._resources.outbox.add(transaction, (mail, 1))

        await self._factors.turn_off(user, "recovered", also)

    async def _cancel(self, recovery: MfaRecovery, user: User, by: str) -> bool:
        mail = mfa_mail(self._resources, user, "mfa_recovery_ended", cancelled=True)

        async def store(transaction: AsyncClientSession) -> bool:
            if not await self._recoveries.end(recovery, transaction):
                return False
            await self._resources.outbox.add(transaction, (mail, 1))
            await self._resources.audit.add("mfa.recovery_cancelled", user.id, transaction, by=by)
            return True

        return await self._resources.transaction(store)
