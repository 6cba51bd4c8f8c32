"""What resolvers work with."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import strawberry
from graphql import DocumentNode
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from grove.core.errors import Conflict, Forbidden
from grove.outbox.postgres import Outbox
from grove.postgres.reads import Reads
from grove.security.principal import Principal
from grove.web.auth import Authenticator
from grove_resource.graphql.room import Room
from grove_resource.resources import Resources

T = TypeVar("T")


@dataclass(slots=True)
class Context:
    """One request. `session` is its one transaction; `reads` see what it changed."""

    document: DocumentNode
    principal: Principal
    authenticator: Authenticator
    resources: Resources
    session: AsyncSession
    outbox: Outbox
    reads: Reads
    room: Room
    _loaders: dict[Hashable, DataLoader[UUID, Any]] = field(default_factory=dict)

    @property
    def user_id(self) -> UUID:
        """The acting user."""
        return self.principal.user_id

    async def demand(self, scope: str) -> None:
        """Raises Forbidden unless the token has the scope."""
        if not self.principal.has(scope):
            await self.authenticator.refused(self.principal, "scope")
            raise Forbidden(f"The token lacks the scope {scope}.")

    def loader(
        self, key: Hashable, load: Callable[[list[UUID]], Awaitable[Sequence[T]]], at_once: int | None = None
    ) -> DataLoader[UUID, T]:
        """The request's loader of that key, which asks `load` for many ids at once, or for `at_once` of them."""
        return self._loaders.setdefault(key, DataLoader(load, at_once))

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[AsyncSession]:
        """The transaction for one change. An error takes back this change, and no other. Raises Conflict for a
        deadlock, which the changes of one request can cause in any order.
        """
        self._loaders.clear()
        self.session.expunge_all()  # a change may have changed rows that another one holds as objects
        try:
            async with self.session.begin_nested():
                yield self.session
        except DBAPIError as error:
            if error.orig is not None and isinstance(error.orig.__cause__, asyncpg.DeadlockDetectedError):
                raise Conflict("Another request changes the same at this moment. Try again.") from None
            raise


Info: TypeAlias = strawberry.Info[Context, None]
