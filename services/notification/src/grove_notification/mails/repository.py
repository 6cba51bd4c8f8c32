"""Queries on mails, as the worker needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.subqueries import evaluated_once
from grove_notification.mails.catalogue import Kind
from grove_notification.models import Mail

FIRST: tuple[Kind, ...] = ("security", "account")
"""Kinds that wait for nothing, in their order."""
NOTICES: tuple[Kind, ...] = ("notice", "digest")
"""Kinds that go last, in their order: they wait for quiet hours and limits, and can be unsubscribed from."""

OFTEN = 3
"""Tries after which it is no hiccup any more."""
AT_ONCE = 1000
"""Mails that one statement moves at most."""
SHOWN = timedelta(days=1)
"""How long a health check counts a mail that did not arrive, so that it is content again one day."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Mails that are queued: how many, how many of them were tried OFTEN, and since when the oldest is due."""

    count: int
    often_tried: int
    late: timedelta


class MailRepository:
    """Rows of mails."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, mail: Mail) -> None:
        """Insert."""
        self._session.add(mail)
        await self._session.flush()

    async def claim_due(self, moment: datetime, *, notices: bool = True) -> Mail | None:
        """One due mail that no sender has in hand, locked until the transaction ends: security mails first, then those
        about accounts, and last `notices`, single ones before digests; of a kind, what has been due for longest.
        """
        kinds = (*FIRST, *NOTICES) if notices else FIRST
        next_one = func.coalesce(*(_next_of(kind, moment) for kind in kinds))  # looks for no kind after one it found
        return await self._session.scalar(select(Mail).where(Mail.id == next_one).with_for_update())

    async def lease(self, mail_id: UUID, seconds: float) -> datetime:
        """Keep a claimed mail from other senders, by the database's clock, which is one for all of them. Until when."""
        until = func.clock_timestamp() + timedelta(seconds=seconds)
        leased = update(Mail).where(Mail.id == mail_id).values(leased_until=until).returning(Mail.leased_until)
        row: Any = (await (await self._session.connection()).execute(leased)).one()
        end: datetime = row.leased_until
        return end

    async def renew(self, mail_id: UUID, ends: Sequence[datetime], until: datetime) -> bool:
        """Keep it until then, if its lease is one that ends at one of `ends`."""
        kept = update(Mail).where(Mail.id == mail_id, Mail.leased_until.in_(ends)).values(leased_until=until)
        return (await (await self._session.connection()).execute(kept)).rowcount == 1

    async def held(self, mail_id: UUID, ends: Sequence[datetime | None]) -> Mail | None:
        """The mail, locked until the transaction ends; None when its lease ends at none of `ends`. None among them: it
        has none.
        """
        held = select(Mail).where(Mail.id == mail_id, _ends_at(ends))
        return await self._session.scalar(held.with_for_update())

    async def bounced_at(self, macs: Sequence[bytes]) -> datetime | None:
        """When a mail to the address of these hashes bounced, unless another one was sent to it since."""
        bounced: datetime | None = await self._session.scalar(
            select(func.max(Mail.bounced_at)).where(Mail.status == "bounced", Mail.address_mac.in_(macs))
        )
        if bounced is None:
            return None
        sent_since = select(Mail.id).where(
            Mail.status == "sent", Mail.address_mac.in_(macs), Mail.sent_at > bounced, Mail.kind.in_(FIRST)
        )
        return None if await self._session.scalar(sent_since.limit(1)) else bounced

    async def spread_notices(self, user_id: UUID, first: datetime, pace: timedelta) -> int:
        """The user's notices are due at `first` and then one each `pace`, in the order they were queued in. How many
        were moved: those that would come too early, AT_ONCE at most, so that few are moved again.
        """
        rank = func.row_number().over(order_by=Mail.id) - 1
        ranked = (
            select(Mail.id, Mail.due_at, (literal(first) + rank * literal(pace)).label("slot"))
            .where(*waiting_notices(user_id), Mail.leased_until.is_(None))
            .cte("ranked")
        )
        early = (
            select(Mail.id)
            .join(ranked, ranked.c.id == Mail.id)
            .where(ranked.c.due_at < ranked.c.slot - pace / 2)
            .order_by(Mail.id)
            .limit(AT_ONCE)
            .with_for_update(of=Mail, skip_locked=True)
        )
        moved = (
            update(Mail).where(Mail.id == ranked.c.id, Mail.id.in_(evaluated_once(early))).values(due_at=ranked.c.slot)
        )
        return int((await (await self._session.connection()).execute(moved)).rowcount)

    async def end_plainly(self, mail_id: UUID, ends: Sequence[datetime], **values: Any) -> bool:
        """Change a queued mail and end its lease, in the plainest way there is; False when it has none of these."""
        held = Mail.id == mail_id, Mail.status == "queued", _ends_at(ends)
        change = update(Mail).where(*held).values(leased_until=None, **values)
        return (await (await self._session.connection()).execute(change)).rowcount == 1

    async def given_up(self, moment: datetime) -> int:
        """How many failed within a day."""
        return await self._count(Mail.status == "failed", Mail.failed_at > moment - SHOWN)

    async def bounced_lately(self, moment: datetime) -> int:
        """How many bounced within a day, of those that somebody waits for."""
        lately = Mail.bounced_at > moment - SHOWN
        return await self._count(Mail.status == "bounced", Mail.kind.in_(FIRST), lately)

    async def waiting(self, moment: datetime) -> Waiting:
        """What is queued."""
        found = select(
            func.count(),
            func.count().filter(Mail.attempts >= OFTEN),
            func.coalesce(func.min(Mail.due_at), moment),
        ).where(Mail.status == "queued")
        count, often, oldest = (await self._session.execute(found)).one()
        return Waiting(count, often, max(timedelta(0), moment - oldest))

    async def _count(self, *conditions: ColumnElement[bool]) -> int:
        return await self._session.scalar(select(func.count()).select_from(Mail).where(*conditions)) or 0


def waiting_notices(user_id: UUID) -> tuple[ColumnElement[bool], ...]:
    """The user's that are queued."""
    return Mail.user_id == user_id, Mail.status == "queued", Mail.kind.in_(NOTICES)


def _ends_at(ends: Sequence[datetime | None]) -> ColumnElement[bool]:
    some = Mail.leased_until.in_([each for each in ends if each is not None])
    return or_(some, Mail.leased_until.is_(None)) if None in ends else some


def _next_of(kind: Kind, moment: datetime) -> ScalarSelect[UUID]:
    in_nobodys_hand = or_(Mail.leased_until.is_(None), Mail.leased_until < func.clock_timestamp())
    return (
        select(Mail.id)
        .where(Mail.kind == kind, Mail.status == "queued", Mail.due_at <= moment, in_nobodys_hand)
        .order_by(Mail.due_at, Mail.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
