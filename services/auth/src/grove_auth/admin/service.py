"""The rules of administration."""

from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.auth import UserBlocked, UserUnblocked
from grove.core.clock import now
from grove.core.errors import Conflict
from grove.core.recurring import every
from grove.mongo.client import MONGO_ERRORS
from grove.security.principal import Principal
from grove_auth.admin.errors import AboveYou, NotYourself, UserNotFound
from grove_auth.admin.repository import AdminRepository
from grove_auth.admin.rules import may_act_on
from grove_auth.admin.schemas import FILTERS, Block, UserFilter
from grove_auth.devices.service import DeviceService
from grove_auth.models import User
from grove_auth.models.user import UNTIL_UNBLOCKED
from grove_auth.resources import Resources
from grove_auth.roles.admins import keep_one
from grove_auth.roles.permissions import ADMIN
from grove_auth.sessions.service import SessionService
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()

LOOK_SECONDS = 5
AT_ONCE = 100
BLOCK_ERRORS: tuple[type[Exception], ...] = (*MONGO_ERRORS, UserNotFound)


class AdminService:
    """Looks at accounts, blocks them, ends their sessions."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._accounts = AdminRepository()
        self._sessions = SessionService(resources)
        self._devices = DeviceService(resources)

    async def page(self, wanted: UserFilter) -> tuple[list[User], int]:
        """A page of accounts, and how many there are. That they were looked at is in the audit log."""
        found = await self._accounts.page(wanted)
        given = wanted.model_dump(exclude_none=True, include=set(FILTERS))  # names only: `q` is part of an address
        await self._resources.audit.add("users.listed", None, filters=" ".join(sorted(given)))
        return found

    async def read(self, user_id: UUID) -> User:
        """One account, for an administrator's eyes, which is in the audit log. Raises UserNotFound."""
        user = await self.get(user_id)
        await self._resources.audit.add("user.read", user_id)
        return user

    async def get(self, user_id: UUID) -> User:
        """One account. Raises UserNotFound."""
        user = await self._users.get(user_id)
        if user is None:
            raise UserNotFound
        return user

    async def to_act_on(self, actor: Principal | None, user_id: UUID, action: str) -> User:
        """The account that the actor wants to do something to, which is audited as `action` when they may not.

        `actor`, here and below: None for the operator, who may act on everybody. Raises UserNotFound, AboveYou or
        NotYourself.
        """
        user = await self.get(user_id)
        if actor is None:
            return user
        try:
            may_act_on(actor.user_id, actor.roles, user, await self._resources.roles.ranks())
        except (AboveYou, NotYourself):
            await self._resources.audit.add(action, user_id, outcome="failure", reason="rank")
            raise
        return user

    async def block(self, actor: Principal | None, user_id: UUID, data: Block) -> User:
        """Block an account: its sessions end, its tokens die. Raises UserNotFound, AboveYou or NotYourself."""
        user = await self.to_act_on(actor, user_id, "user.blocked")
        moment = now()
        fact = UserBlocked(user_id=user_id, until=data.until, reason=data.reason, blocked_at=moment)

        async def store(transaction: AsyncClientSession) -> None:
            until = data.until or UNTIL_UNBLOCKED
            if not await self._accounts.set_block(user, until, data.reason, 1, transaction):
                raise Conflict("The account was blocked or unblocked by another request meanwhile.")
            if ADMIN in user.roles:
                await keep_one(transaction)
            await self._sessions.end_all_within(transaction, user, "blocked")
            await self._resources.facts.add(transaction, user_id, fact)
            await self._resources.audit.add("user.blocked", user_id, transaction)

        await self._resources.transaction(store)
        log.warning("account.blocked", user_id=str(user_id), by=str(actor.user_id) if actor else "operator")
        return await self.get(user_id)

    async def unblock(self, actor: Principal | None, user_id: UUID) -> User:
        """Take a block back; without one nothing changes. Raises UserNotFound, AboveYou or NotYourself."""
        await self._unblock(await self.to_act_on(actor, user_id, "user.unblocked"))
        return await self.get(user_id)

    async def revoke_sessions(self, actor: Principal | None, user_id: UUID) -> None:
        """End all sessions of an account, and trust none of its devices.

        Raises UserNotFound, AboveYou or NotYourself.
        """
        await self.to_act_on(actor, user_id, "session.ended")
        await self._devices.revoke_all(user_id)
        await self._sessions.end_all(user_id)

    async def run(self) -> None:
        """End blocks whose time is over, until cancelled."""
        await every(LOOK_SECONDS, self._end_blocks, away=BLOCK_ERRORS)

    async def _end_blocks(self) -> None:
        for user_id in await self._accounts.expired_blocks(AT_ONCE):
            await self._unblock(await self.get(user_id))

    async def _unblock(self, user: User) -> None:
        if user.blocked_until is None:
            return
        fact = UserUnblocked(user_id=user.id, unblocked_at=now())

        async def store(transaction: AsyncClientSession) -> None:
            if await self._accounts.set_block(user, None, None, 0, transaction):
                await self._resources.facts.add(transaction, user.id, fact)
                await self._resources.audit.add("user.unblocked", user.id, transaction)

        await self._resources.transaction(store)
