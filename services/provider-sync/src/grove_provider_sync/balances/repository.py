"""Queries on balances, always scoped by the acting user."""

from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Date, Uuid, bindparam, cast, func, or_, select, true

from grove.postgres.reads import Reads, Statement
from grove_provider_sync.accounts.errors import AccountNotFound
from grove_provider_sync.balances.schemas import BalancePoint, BalancesRead
from grove_provider_sync.balances.steps import BalancesQuery
from grove_provider_sync.connections.visibility import seen
from grove_provider_sync.models import Account, Balance

_USER: ColumnElement[UUID] = bindparam("user_id", type_=Uuid)
_DAY = func.unnest(bindparam("days", type_=ARRAY(Date))).table_valued("day", name="asked").render_derived()
# One look into the primary key for each point, however many days are kept.
_LAST = (
    select(Balance.balance, Balance.available)
    .where(Balance.account_id == Account.id, Balance.day <= _DAY.c.day)
    .order_by(Balance.day.desc())
    .limit(1)
    .correlate(Account, _DAY)
    .lateral("told")
)
_OPEN = or_(Account.closed_at.is_(None), _DAY.c.day <= cast(func.timezone("UTC", Account.closed_at), Date))
_POINTS = Statement(
    select(Account.currency, _DAY.c.day, _LAST.c.balance, _LAST.c.available)
    .select_from(Account)
    .outerjoin(_DAY.join(_LAST, true()), _OPEN)
    .where(Account.id == bindparam("account_id"), Account.user_id == _USER, seen(Account.connection_id, _USER))
    .order_by(_DAY.c.day)
)


class BalanceQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, account_id: UUID, wanted: BalancesQuery) -> BalancesRead:
        """What the account held on the days that are wanted. Raises AccountNotFound."""
        rows = await self._reads.all(_POINTS, account_id=account_id, user_id=self._user_id, days=wanted.days())
        if not rows:
            raise AccountNotFound
        return BalancesRead(
            account_id=account_id,
            currency=rows[0].currency,
            interval=wanted.interval,
            date_from=wanted.start,
            date_to=wanted.stop,
            points=[
                BalancePoint(date=row.day, balance=row.balance, available=row.available)
                for row in rows
                if row.day is not None
            ],
        )
