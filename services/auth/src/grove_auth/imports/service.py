"""The rules of imports: each row stands for itself, and doing it again changes nothing."""

from collections.abc import Sequence
from typing import Any

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError

from grove.contracts.auth import UserVerified
from grove.contracts.event import EventData
from grove.core.errors import Conflict
from grove.security.principal import Principal
from grove_auth.imports.repository import ImportRepository
from grove_auth.imports.rules import address_of, read
from grove_auth.imports.schemas import ImportedRow
from grove_auth.models import User
from grove_auth.resources import Resources
from grove_auth.roles.grants import OPERATOR, Grants
from grove_auth.users.events import registered

log = structlog.get_logger()

AT_ONCE = 100
"""Accounts of one transaction: few enough to be done well within its time."""
TRIES = 3

Rows = Sequence[tuple[int, Any]]
"""Each with its number."""


class ImportService:
    """Imports accounts."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._accounts = ImportRepository()
        self._grants = Grants()

    async def run(self, rows: Sequence[Any], actor: Principal | None) -> list[ImportedRow]:
        """What became of each row. `actor`: who gives the roles; None: an operator at the database."""
        numbered = list(enumerate(rows))
        found: list[ImportedRow] = []
        for start in range(0, len(numbered), AT_ONCE):
            found += await self._part(numbered[start : start + AT_ONCE], actor)
        log.info("accounts.imported", created=sum(row.status == "created" for row in found), rows=len(found))
        return found

    async def _part(self, rows: Rows, actor: Principal | None) -> list[ImportedRow]:
        settings = self._resources.settings
        read_rows = await self._resources.passwords.run(lambda: [read(row, settings) for _, row in rows])
        refused = [
            ImportedRow(row=number, email=address_of(row), status="refused", reason=reason)
            for (number, row), reason in zip(rows, read_rows, strict=True)
            if isinstance(reason, str)
        ]
        users = [(number, user) for (number, _), user in zip(rows, read_rows, strict=True) if not isinstance(user, str)]
        stored = await self._store(users, actor) if users else []
        return sorted([*refused, *stored], key=lambda result: result.row)

    async def _store(self, users: Sequence[tuple[int, User]], actor: Principal | None) -> list[ImportedRow]:
        for _ in range(TRIES):
            try:
                return await self._resources.transaction(lambda transaction: self._within(transaction, users, actor))
            except (BulkWriteError, DuplicateKeyError):
                continue  # somebody took one of the addresses meanwhile: it is seen now
        raise Conflict("The same addresses are being registered by others. Send the import again.")

    async def _within(
        self, transaction: AsyncClientSession, users: Sequence[tuple[int, User]], actor: Principal | None
    ) -> list[ImportedRow]:
        taken = await self._accounts.taken([user.email for _, user in users], transaction)
        refusals = await self._refusals({role for _, user in users for role in user.roles}, actor, transaction)
        results: list[ImportedRow] = []
        new: list[User] = []
        for number, user in users:
            result = ImportedRow(row=number, email=user.email, status="created", id=user.id)
            reasons = [refusals[role] for role in user.roles if role in refusals]
            if user.email in taken:
                result = result.model_copy(update={"status": "exists", "id": taken[user.email]})
            elif reasons:
                result = result.model_copy(update={"status": "refused", "id": None, "reason": reasons[0]})
            else:
                taken[user.email] = user.id
                new.append(user)
            results.append(result)
        if new:
            await self._insert(new, transaction)
        return results

    async def _refusals(
        self, roles: set[str], actor: Principal | None, transaction: AsyncClientSession
    ) -> dict[str, str]:
        """The roles that can't be given, and why."""
        standing = OPERATOR if actor is None else await self._grants.standing(actor, transaction)
        return await self._grants.refusals(standing, roles, transaction)

    async def _insert(self, users: Sequence[User], transaction: AsyncClientSession) -> None:
        await self._accounts.insert(users, transaction)
        facts: list[tuple[EventData, int]] = []
        for user in users:
            facts.append((registered(user, greet=False), 1))
            if user.email_verified:
                facts.append((UserVerified(user_id=user.id, email=user.email), 2))
        await self._resources.outbox.add(transaction, *facts)
        for user in users:
            await self._resources.audit.add("user.imported", user.id, transaction, roles=" ".join(user.roles))
