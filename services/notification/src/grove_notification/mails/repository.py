"""Queries on mails, as the worker needs them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ScalarSelect, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove_notification.mails.catalogue import Kind
from grove_notification.models import Mail

FIRST: tuple[Kind, ...] = ("security", "account")
"""Kinds that wait for nothing, in their order."""
NOTICE: Kind = "notice"

OFTEN = 3
"""Tries after which it is no hiccup any more."""


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

    async def claim_due(self, moment: datetime, *, notices: bool = True, besides: Collection[UUID] = ()) -> Mail | None:
        """One due mail that no other sender works on, locked until the transaction ends: security mails first, then
        those about accounts, and `notices` last; none of `besides`.
        """
        kinds = (*FIRST, NOTICE) if notices else FIRST
        next_one = func.coalesce(
            *(_next_of(kind, moment, besides) for kind in kinds)
        )  # looks for no kind after one it found
        return await self._session.scalar(select(Mail).where(Mail.id == next_one).with_for_update())

    async def bounced_at(self, mac: bytes) -> datetime | None:
        """When a mail to the address bounced, unless another one was sent to it since."""
        bounced: datetime | None = await self._session.scalar(
            select(func.max(Mail.bounced_at)).where(Mail.status == "bounced", Mail.address_mac == mac)
        )
        if bounced is None:
            return None
        sent_since = select(Mail.id).where(
            Mail.status == "sent", Mail.address_mac == mac, Mail.sent_at > bounced, Mail.kind != NOTICE
        )
        return None if await self._session.scalar(sent_since.limit(1)) else bounced

    async def postpone_notices(self, mac: bytes, moment: datetime) -> int:
        """Notices to the address that are due before `moment` are due then. How many."""
        waiting = (
            select(Mail.id)
            .where(Mail.status == "queued", Mail.kind == NOTICE, Mail.address_mac == mac, Mail.due_at < moment)
            .with_for_update(skip_locked=True)  # another sender's is with the mail server
        )
        postponed = await (await self._session.connection()).execute(
            update(Mail).where(Mail.id.in_(waiting)).values(due_at=moment)
        )
        return int(postponed.rowcount)

    async def count(self, status: str) -> int:
        """How many have the status."""
        return await self._session.scalar(select(func.count()).select_from(Mail).where(Mail.status == status)) or 0

    async def waiting(self, moment: datetime) -> Waiting:
        """What is queued."""
        found = select(
            func.count(),
            func.count().filter(Mail.attempts >= OFTEN),
            func.coalesce(func.min(Mail.due_at), moment),
        ).where(Mail.status == "queued")
        count, often, oldest = (await self._session.execute(found)).one()
        return Waiting(count, often, max(timedelta(0), moment - oldest))

    async def delete_old(self, before: datetime, most: int) -> int:
        """Delete what was made before that, and is not queued; up to `most`. How many are gone."""
        old = (
            select(Mail.id)
            .where(Mail.created_at < before, Mail.status != "queued")
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        deleted = await (await self._session.connection()).execute(delete(Mail).where(Mail.id.in_(old)))
        return int(deleted.rowcount)


def _next_of(kind: Kind, moment: datetime, besides: Collection[UUID]) -> ScalarSelect[UUID]:
    return (
        select(Mail.id)
        .where(Mail.kind == kind, Mail.status == "queued", Mail.due_at <= moment, Mail.id.not_in(besides))
        .order_by(Mail.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
