"""The rules of accounts that administrators make, change and delete."""

from typing import Any
from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove.contracts.auth import UserVerified
from grove.contracts.event import EventData
from grove.core.clock import now
from grove.core.errors import Conflict, InvalidToken
from grove.security.principal import Principal
from grove_auth.admin.errors import UserNotFound
from grove_auth.admin.repository import AdminRepository
from grove_auth.admin.schemas import NewUser, UserPatch
from grove_auth.admin.service import AdminService
from grove_auth.deletions.service import DeletionService
from grove_auth.models import User
from grove_auth.passwords import rules
from grove_auth.passwords.service import PasswordService
from grove_auth.resources import Resources
from grove_auth.roles.admins import keep_one
from grove_auth.roles.errors import Escalation
from grove_auth.roles.grants import Grants
from grove_auth.roles.permissions import ADMIN
from grove_auth.users.events import registered, updated
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()

TOLD = {"locale", "timezone", "roles"}
"""Fields that other services know."""


class AccountService:
    """Makes, changes and deletes accounts, each with the roles that the actor may give."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._accounts = AdminRepository()
        self._administration = AdminService(resources)
        self._grants = Grants()
        self._passwords = PasswordService(resources)
        self._deletions = DeletionService(resources)

    async def create(self, actor: Principal, data: NewUser) -> User:
        """A new account. Who still has to set a password, or to confirm the address, gets a link by mail.

        Raises Conflict for a taken address, WeakPassword, Escalation, or Invalid for an unknown role.
        """
        user = await self._made(data)
        invited = user.password_hash is None or not user.email_verified

        async def store(transaction: AsyncClientSession) -> None:
            await self._users.insert(user, transaction)
            await self._grants.give(await self._grants.standing(actor, transaction), user.roles, transaction)
            facts: list[EventData] = [registered(user, greet=not invited)]
            if user.email_verified:
                facts.append(UserVerified(user_id=user.id, email=user.email))
            await self._resources.outbox.add(transaction, *((fact, n) for n, fact in enumerate(facts, start=1)))
            if invited:
                await self._passwords.invite(user, transaction)
            await self._resources.audit.add("user.created", user.id, transaction, roles=" ".join(user.roles))

        try:
            await self._resources.transaction(store)
        except DuplicateKeyError:
            raise Conflict("There is already an account with this address.") from None
        except Escalation:
            await self._refused("user.created", None)
            raise
        log.info("account.created", user_id=str(user.id), by=str(actor.user_id))
        return await self._administration.get(user.id)

    async def change(self, actor: Principal, user_id: UUID, data: UserPatch) -> User:
        """Set the fields that were sent. A role that is taken is gone from every token within a second.

        Raises UserNotFound, AboveYou, NotYourself, Escalation, LastAdmin, or Invalid for an unknown role.
        """
        user = await self._administration.to_act_on(actor, user_id, "user.updated")
        changes = _changes(user, data)
        if not changes:
            return user
        roles = set(changes.get("roles", user.roles))
        given, taken = roles - set(user.roles), set(user.roles) - roles
        after = user.model_copy(update=changes)

        async def store(transaction: AsyncClientSession) -> None:
            if not await self._accounts.change(user, changes, 1 if taken else 0, transaction):
                raise Conflict("The account was changed by another request meanwhile. Read it again.")
            await self._grants.give(await self._grants.standing(actor, transaction), given, transaction)
            if ADMIN in user.roles and (ADMIN in taken or not after.email_verified):
                await keep_one(transaction)
            if taken:  # its sessions go on: a refresh gives tokens without the role
                await self._resources.revocations.end_tokens(transaction, user_id, below=user.token_version + 1)
            await self._resources.facts.add(transaction, user_id, *_facts(after, changes))
            await self._resources.audit.add(
                "user.updated", user_id, transaction, fields=" ".join(sorted(changes)), roles=" ".join(after.roles)
            )

        try:
            await self._resources.transaction(store)
        except Escalation:
            await self._refused("user.updated", user_id)
            raise
        return await self._administration.get(user_id)

    async def delete(self, actor: Principal, user_id: UUID) -> None:
        """Close an account as its user could; nothing happens when it is closed already.

        Raises UserNotFound, AboveYou, NotYourself or LastAdmin.
        """
        try:
            await self._administration.to_act_on(actor, user_id, "user.deleted")
            await self._deletions.delete(user_id)
        except (UserNotFound, InvalidToken):
            if not await self._accounts.was_deleted(user_id):
                raise UserNotFound from None

    async def _made(self, data: NewUser) -> User:
        passwords, password, hashed = self._resources.passwords, data.password, None
        if password is not None:
            settings, about = self._resources.settings, (data.email, data.name)
            await passwords.run(lambda: rules.check(password, settings, about=about))
            hashed = await passwords.hash(password)
        verified = data.email_verified if data.email_verified is not None else hashed is not None
        moment = now()
        return User(
            **data.model_dump(include={"email", "name", "roles", "locale", "timezone"}),
            password_hash=hashed,
            email_verified=verified,
            sequence=2 if verified else 1,
            created_at=moment,
            updated_at=moment,
        )

    async def _refused(self, action: str, user_id: UUID | None) -> None:
        await self._resources.audit.add(action, user_id, outcome="failure", reason="escalation")


def _changes(user: User, data: UserPatch) -> dict[str, Any]:
    sent = data.model_dump(include=data.model_fields_set)
    changes = {name: value for name, value in sent.items() if getattr(user, name) != value}
    if "roles" in changes and set(changes["roles"]) == set(user.roles):
        del changes["roles"]  # only the order is another
    return changes


def _facts(after: User, changes: dict[str, Any]) -> list[EventData]:
    facts: list[EventData] = [updated(after)] if TOLD & set(changes) else []
    if changes.get("email_verified"):
        facts.append(UserVerified(user_id=after.id, email=after.email))
    return facts
