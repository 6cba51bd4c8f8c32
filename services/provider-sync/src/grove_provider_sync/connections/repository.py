"""Queries on connections, always scoped by the acting user."""

from collections.abc import Sequence
from datetime import timedelta
from typing import get_args
from uuid import UUID

from sqlalchemy import bindparam, delete, func, literal, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.postgres.reads import Reads, Row, Statement
from grove_provider_sync.connections.errors import AuthorizationGone, ConnectionNotFound
from grove_provider_sync.connections.standing import Lost
from grove_provider_sync.models import Authorization, Connection, SyncRun
from grove_provider_sync.tokens.owner import Owner

MAX_CONNECTIONS = 100

_READ = select(
    Connection.id,
    Connection.provider,
    Connection.status,
    Connection.status_detail,
    Connection.last_synced_at,
    Connection.next_sync_at,
    Connection.reauth_by,
    Connection.created_at,
).where(Connection.user_id == bindparam("user_id"))
_ALL = Statement(
    _READ.where(Connection.erasing.is_(False))
    .order_by(Connection.status == "revoked", Connection.created_at.desc(), Connection.id.desc())
    .limit(MAX_CONNECTIONS)
)
_GET = Statement(_READ.where(Connection.id == bindparam("connection_id"), Connection.erasing.is_(False)))
_OF_THE_USER = ("revoked", *get_args(Lost))
_FAILING = Statement(
    select(Connection.provider)
    .join(SyncRun, SyncRun.connection_id == Connection.id)
    .where(
        SyncRun.finished_at > bindparam("since"),
        func.coalesce(SyncRun.error_code, literal_column("''")).not_in(map(literal, _OF_THE_USER)),
    )
    .group_by(Connection.provider)
    .having(func.count().filter(SyncRun.status == "failed") * 2 > func.count())
)


async def failing_providers(reads: Reads) -> set[str]:
    """Providers of which more than half of the last quarter hour's runs failed. Those that only ended because somebody
    took access back, or let it end, count for nothing.
    """
    return {row.provider for row in await reads.all(_FAILING, since=now() - timedelta(minutes=15))}


class ConnectionQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def all(self) -> Sequence[Row]:
        """The user's connections, newest first, those that they removed behind the others."""
        return await self._reads.all(_ALL, user_id=self._user_id)

    async def get(self, connection_id: UUID) -> Row:
        """One connection. Raises ConnectionNotFound."""
        row = await self._reads.first(_GET, connection_id=connection_id, user_id=self._user_id)
        if row is None:
            raise ConnectionNotFound
        return row


class ConnectionRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, connection: Connection) -> None:
        """Insert."""
        self._session.add(connection)
        await self._session.flush()

    async def one_at_a_time(self, user_id: UUID) -> None:
        """What is counted or compared among the user's connections holds until the transaction ends."""
        key = int.from_bytes(user_id.bytes[8:], signed=True)
        await self._session.execute(select(func.pg_advisory_xact_lock(key)))

    async def count(self, user_id: UUID) -> int:
        """How many the user has."""
        counted = await self._session.scalar(
            select(func.count())
            .select_from(Connection)
            .where(Connection.user_id == user_id, Connection.status != "revoked")
        )
        return counted or 0

    async def of_user(self, connection_id: UUID, user_id: UUID) -> Connection:
        """The user's connection. Raises ConnectionNotFound."""
        return await self._one(connection_id, user_id, lock=False)

    async def locked(self, connection_id: UUID, user_id: UUID) -> Connection:
        """The user's connection, locked until the transaction ends. Raises ConnectionNotFound."""
        return await self._one(connection_id, user_id, lock=True)

    async def is_linked_elsewhere(self, connection: Connection, external_id: str | None) -> bool:
        """Whether another living connection of the same user is for the same."""
        other = select(Connection.id).where(
            Connection.user_id == connection.user_id,
            Connection.provider == connection.provider,
            Connection.external_id == external_id,
            Connection.id != connection.id,
            Connection.status != "revoked",
        )
        return external_id is not None and await self._session.scalar(other.limit(1)) is not None

    async def has_access(self, owner: Owner, external_id: str | None) -> bool:
        """Whether a living connection of the user has access to the same; by its id where providers give no name."""
        same = (
            Connection.external_id == external_id if external_id is not None else Connection.id == owner.connection_id
        )
        living = select(Connection.id).where(
            Connection.user_id == owner.user_id,
            Connection.provider == owner.provider,
            Connection.sealed_tokens.is_not(None),
            same,
        )
        return await self._session.scalar(living.limit(1)) is not None

    async def locked_of_user(self, user_id: UUID) -> Sequence[Connection]:
        """The user's connections, locked until the transaction ends."""
        found = await self._session.scalars(
            select(Connection).where(Connection.user_id == user_id).order_by(Connection.id).with_for_update()
        )
        return found.all()

    async def add_authorization(self, authorization: Authorization) -> None:
        """Insert a try to connect; older ones of the connection go."""
        await self._session.execute(
            delete(Authorization).where(Authorization.connection_id == authorization.connection_id)
        )
        self._session.add(authorization)
        await self._session.flush()

    async def authorization(self, state_hash: bytes) -> Authorization:
        """A living try to connect, locked. Raises AuthorizationGone."""
        found = await self._session.scalar(
            select(Authorization)
            .where(Authorization.state_hash == state_hash, Authorization.expires_at > now())
            .with_for_update()
        )
        if found is None:
            raise AuthorizationGone
        return found

    async def use_authorization(self, state_hash: bytes) -> None:
        """It works once. Raises AuthorizationGone."""
        used = delete(Authorization).where(Authorization.state_hash == state_hash)
        if (await (await self._session.connection()).execute(used)).rowcount == 0:
            raise AuthorizationGone

    async def unclaim(self, state_hash: bytes) -> None:
        """The callback failed: it may be tried again."""
        free = update(Authorization).where(Authorization.state_hash == state_hash)
        await self._session.execute(free.values(claimed_until=None))

    async def _one(self, connection_id: UUID, user_id: UUID, *, lock: bool) -> Connection:
        found = await self._session.get(Connection, connection_id, with_for_update=lock or None)
        if found is None or found.user_id != user_id:
            raise ConnectionNotFound
        return found
