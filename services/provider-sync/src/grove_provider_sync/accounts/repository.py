"""Queries on accounts, always scoped by the acting user."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.ids import new_id
from grove.postgres.reads import Reads, Row, Statement
from grove_provider_sync.accounts.errors import AccountNotFound
from grove_provider_sync.models import Account
from grove_provider_sync.providers.interface import AccountData

MAX_ACCOUNTS = 1000

_READ = select(
    Account.id,
    Account.connection_id,
    Account.name,
    Account.type,
    Account.mask,
    Account.currency,
    Account.balance,
    Account.available,
    Account.updated_at,
).where(Account.user_id == bindparam("user_id"))
_ALL = Statement(_READ.order_by(Account.name, Account.id).limit(MAX_ACCOUNTS))
_GET = Statement(_READ.where(Account.id == bindparam("account_id")))


class AccountQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def all(self) -> Sequence[Row]:
        """The user's accounts, by name."""
        return await self._reads.all(_ALL, user_id=self._user_id)

    async def get(self, account_id: UUID) -> Row:
        """One account. Raises AccountNotFound."""
        row = await self._reads.first(_GET, account_id=account_id, user_id=self._user_id)
        if row is None:
            raise AccountNotFound
        return row


class AccountRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def store(self, connection_id: UUID, accounts: Sequence[AccountData]) -> None:
        """Insert or update by the provider's id."""
        if not accounts:
            return
        moment = now()
        row = insert(Account).values(
            [
                {
                    "id": new_id(),
                    "user_id": self._user_id,
                    "connection_id": connection_id,
                    "provider_id": account.id,
                    "name": account.name[:200],
                    "type": account.type[:40],
                    "mask": account.mask,
                    "currency": account.currency,
                    "balance": account.balance,
                    "available": account.available,
                    "updated_at": moment,
                }
                for account in accounts
            ]
        )
        changing = ("name", "type", "mask", "currency", "balance", "available", "updated_at")
        await self._session.execute(
            row.on_conflict_do_update(
                constraint="uq_accounts_provider_id", set_={name: row.excluded[name] for name in changing}
            )
        )

    async def ids(self, connection_id: UUID) -> Mapping[str, UUID]:
        """The provider's id → ours."""
        rows = await self._session.execute(
            select(Account.provider_id, Account.id).where(Account.connection_id == connection_id)
        )
        return {row.provider_id: row.id for row in rows}
