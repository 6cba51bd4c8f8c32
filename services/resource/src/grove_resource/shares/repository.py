"""Queries on shares, and on whose an address is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ScalarSelect,
    Table,
    Update,
    Uuid,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove_resource.models import Reminder, Share, Task, User
from grove_resource.shares import addresses
from grove_resource.shares.schemas import ShareRead
from grove_resource.tasks.access import ROLE, Role, missing
from grove_resource.tasks.errors import TaskNotOwned

SHARE_JSON = JsonRow(
    Share, ShareRead, {"id": Share.id, "email": Share.email, "role": Share.role, "created_at": Share.created_at}
)

_APART = {"synchronize_session": False}
_TABLE = cast("Table", Share.__table__)
_ROLE = Statement(select(ROLE).select_from(Task).where(Task.id == bindparam("task_id")))


class ShareQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def must_own(self, task_id: UUID) -> None:
        """Raises TaskNotFound, TaskOfAnotherUser, TaskNotOwned."""
        row = await self._reads.first(_ROLE, task_id=task_id, user_id=self._user_id)
        if row is None or row[0] is None:
            raise missing(is_there=row is not None)
        if row[0] != Role.OWNER:
            raise TaskNotOwned


@dataclass(frozen=True, slots=True)
class Found:
    """What there is about an address and a task. `holder`: whose the address is, if that is known."""

    shares: int
    holder: UUID | None
    share: Share | None


class ShareRepository:
    """Rows for change, in a transaction. Who makes or changes a share has locked its task.

    Whoever asks or changes whose an address is holds it: a share for it either finds its user, or is found by the
    event that tells of them.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def hold(self, emails: Iterable[str]) -> None:
        """Keep others from binding these addresses until the transaction ends."""
        await addresses.hold(self._session, emails)

    async def find(self, task_id: UUID, email: str) -> Found:
        """What there is about a held address and a locked task."""
        count = select(func.count()).where(Share.task_id == task_id).scalar_subquery()
        one = select(true().label("one")).subquery()
        this = and_(Share.task_id == task_id, Share.email == email)
        row = await self._session.execute(select(count, _holder(email), Share).select_from(one.outerjoin(_TABLE, this)))
        found = Found(*row.one())
        self._session.expunge_all()
        return found

    async def put(self, share: Share) -> None:
        """Insert it, or write its changes."""
        values = {column.key: getattr(share, column.key) for column in _TABLE.columns}
        row = insert(_TABLE).values(values)
        changing = {name: values[name] for name in ("user_id", "role", "version", "updated_at")}
        await self._session.execute(row.on_conflict_do_update(index_elements=["id"], set_=changing))

    async def release(self, task_id: UUID, user_id: UUID | None, email: str, moment: datetime) -> None:
        """The user's share of the task by another address than this waits for who has that one."""
        theirs = Share.user_id == literal(user_id, Uuid)  # a literal: None is nobody's
        other = update(Share).where(Share.task_id == task_id, theirs, Share.email != email)
        await self._session.execute(_to_wait(other, moment), execution_options=_APART)

    async def locked(self, task_id: UUID, *, share_id: UUID | None, user_id: UUID) -> Share | None:
        """A share of a task, locked until the transaction ends; without an id the user's own."""
        which = Share.user_id == user_id if share_id is None else Share.id == share_id
        share = await self._session.scalar(select(Share).where(Share.task_id == task_id, which).with_for_update())
        self._session.expunge_all()
        return share

    async def remove(self, share: Share) -> None:
        """Delete a locked share, and what its user wanted to be reminded of."""
        reminders = delete(Reminder).where(
            Reminder.task_id == share.task_id, Reminder.user_id == literal(share.user_id, Uuid)
        )
        gone = delete(Share).where(Share.id == share.id).add_cte(reminders.cte("reminders"))
        await self._session.execute(gone, execution_options=_APART)

    def attempt(self) -> AsyncSessionTransaction:
        """A part of the transaction that can be taken back."""
        return self._session.begin_nested()

    async def address_of(self, user_id: UUID) -> str | None:
        """A user's address, as far as auth told it."""
        email: str | None = await self._session.scalar(select(User.email).where(User.id == user_id))
        return email

    async def bind(self, email: str, moment: datetime) -> Sequence[tuple[Share, Task]]:
        """Give the shares that wait for a held address to its holder, if that is one user; which those were.

        Those of the holder's own tasks go, and their shares by other addresses of the same tasks wait again.
        """
        holder = await self._session.scalar(select(_holder(email)))
        if holder is None:
            return []
        waiting = and_(Share.email == email, Share.user_id.is_(None))
        owned = select(Task.id).where(Task.user_id == holder, Task.id == Share.task_id).exists()
        await self._session.execute(delete(Share).where(waiting, owned), execution_options=_APART)
        tasks = select(Share.task_id).where(waiting)
        others = update(Share).where(Share.user_id == holder, Share.task_id.in_(tasks))
        await self._session.execute(_to_wait(others, moment), execution_options=_APART)
        bound = (
            update(Share)
            .where(waiting)
            .values(user_id=holder, version=Share.version + 1, updated_at=moment)
            .returning(Share)
            .execution_options(**_APART)
        )
        shares = {share.task_id: share for share in await self._session.scalars(bound)}
        of_them = await self._session.scalars(select(Task).where(Task.id.in_(list(shares))).order_by(Task.id))
        found = [(shares[task.id], task) for task in of_them]
        self._session.expunge_all()
        return found


def _holder(email: str) -> ScalarSelect[UUID]:
    """Whose the address is. Of nobody while two have it: the event by which one of them gave it up is under way."""
    ids = func.array_agg(User.id, type_=ARRAY(Uuid))
    return select(ids[1]).where(User.email == email).having(func.count() == 1).scalar_subquery()


def _to_wait(shares: Update, moment: datetime) -> Update:
    """Told to nobody, so the version stays."""
    return shares.values(user_id=None, updated_at=moment)
