"""Queries on accounts, always scoped by the acting user."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, Uuid, all_, bindparam, exists, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.ids import new_id
from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove_provider_sync.accounts.errors import AccountNotFound
from grove_provider_sync.accounts.schemas import AccountRead, money
from grove_provider_sync.connections.visibility import seen
from grove_provider_sync.models import Account, Balance
from grove_provider_sync.providers.checks import checked_account
from grove_provider_sync.providers.interface import AccountData

MAX_ACCOUNTS = 1000
UNLISTED = "Closed account"
"""Accounts that are listed at most: some dozens for each of the connections that somebody may have."""

ACCOUNT_JSON = JsonRow(
    Account,
    AccountRead,
    {
        "id": Account.id,
        "connection_id": Account.connection_id,
        "name": Account.name,
        "type": Account.type,
        "mask": Account.mask,
        "currency": Account.currency,
        "balance": money(Account.balance),
        "available": money(Account.available),
        "updated_at": Account.updated_at,
        "closed_at": Account.closed_at,
    },
)
_USER: ColumnElement[UUID] = bindparam("user_id", type_=Uuid)
_MINE = (Account.user_id == _USER, seen(Account.connection_id, _USER))
_ALL = Statement(
    ACCOUNT_JSON.select()
    .where(*_MINE)
    .order_by(Account.closed_at.is_not(None), Account.name, Account.id)
    .limit(MAX_ACCOUNTS)
)
_ONE = (*_MINE, Account.id == bindparam("account_id"))
_GET = Statement(ACCOUNT_JSON.select(Account.updated_at).where(*_ONE))
_IS_THERE = Statement(select(exists().where(*_ONE)))


class AccountQueries:
    """Reads, one statement each. What belongs to a connection that is being erased is not there."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def all(self) -> str:
        """The user's accounts as JSON, by name, those that are closed behind the others."""
        rows = await self._reads.all(_ALL, user_id=self._user_id)
        return f'{{"items":[{",".join(row[0] for row in rows)}]}}'

    async def get(self, account_id: UUID) -> tuple[str, datetime]:
        """One account's JSON, and when it changed last. Raises AccountNotFound."""
        row = await self._reads.first(_GET, account_id=account_id, user_id=self._user_id)
        if row is None:
            raise AccountNotFound
        return row[0], row[1]

    async def must_be_there(self, account_id: UUID) -> None:
        """Raises AccountNotFound."""
        if not await self._reads.scalar(_IS_THERE, account_id=account_id, user_id=self._user_id):
            raise AccountNotFound


class AccountRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def store(self, connection_id: UUID, accounts: Sequence[AccountData], moment: datetime) -> None:
        """What the provider lists now: inserted or updated by its id, the others closed; and the day's balances."""
        known = {account.id: checked_account(account) for account in accounts}
        await self._session.execute(
            update(Account)
            .where(
                Account.connection_id == connection_id,
                Account.provider_id != all_(literal(list(known), ARRAY(Text))),
                Account.closed_at.is_(None),
            )
            .values(closed_at=moment, updated_at=moment)
        )
        if not known:
            return
        columns = zip(
            *(
                (new_id(), each.id, each.name, each.type, each.mask, each.currency, each.balance, each.available)
                for each in known.values()
            ),
            strict=True,
        )
        connection = await self._session.connection()
        given = (self._user_id, connection_id, moment, *(list(column) for column in columns))
        await connection.exec_driver_sql(_UPSERT, given)
        await self._keep_balances(connection_id, moment.date())

    async def add_unlisted(self, connection_id: UUID, currencies: Mapping[str, str], moment: datetime) -> None:
        """Accounts of which there are bookings and which the provider does not list: closed ones, by the provider's id
        with the currency of a booking.
        """
        known = {"user_id": self._user_id, "connection_id": connection_id, "updated_at": moment, "closed_at": moment}
        rows = [
            known | {"id": new_id(), "provider_id": key, "name": UNLISTED, "type": "other", "currency": currency}
            for key, currency in currencies.items()
        ]
        await self._session.execute(insert(Account).on_conflict_do_nothing(), rows)

    async def _keep_balances(self, connection_id: UUID, day: date) -> None:
        told = select(Account.id, literal(day), Account.balance, Account.available).where(
            Account.connection_id == connection_id,
            Account.closed_at.is_(None),
            or_(Account.balance.is_not(None), Account.available.is_not(None)),
        )
        kept = insert(Balance).from_select(["account_id", "day", "balance", "available"], told)
        new = {name: kept.excluded[name] for name in ("balance", "available")}
        await self._session.execute(
            kept.on_conflict_do_update(
                index_elements=[Balance.account_id, Balance.day],
                set_=new,
                where=or_(*(getattr(Balance, name).is_distinct_from(value) for name, value in new.items())),
            )
        )

    async def ids(self, connection_id: UUID) -> Mapping[str, UUID]:
        """The provider's id → ours."""
        rows = await self._session.execute(
            select(Account.provider_id, Account.id).where(Account.connection_id == connection_id)
        )
        return {row.provider_id: row.id for row in rows}


_UPSERT = """
INSERT INTO accounts AS a (
    user_id, connection_id, updated_at, id, provider_id, name, type, mask, currency, balance, available
)
SELECT $1, $2, $3, r.*
FROM unnest(
    $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::numeric[], $11::numeric[]
) AS r
ON CONFLICT ON CONSTRAINT uq_accounts_provider_id DO UPDATE SET
    name = excluded.name, type = excluded.type, mask = excluded.mask, currency = excluded.currency,
    balance = excluded.balance, available = excluded.available, closed_at = NULL, updated_at = excluded.updated_at
WHERE (a.name, a.type, a.mask, a.currency, a.balance, a.available, a.closed_at) IS DISTINCT FROM
    (excluded.name, excluded.type, excluded.mask, excluded.currency, excluded.balance, excluded.available, NULL)
"""
