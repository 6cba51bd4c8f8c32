"""Who changes tasks holds them, in one order everywhere, so that nobody waits in a circle: the turn of a user who says
what is below what, tasks by id, addresses that shares of these wait for.
"""

import zlib
from collections.abc import Collection
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Table, Uuid, any_, bindparam, exists, func, select, true, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, join

from grove_resource.models import Task
from grove_resource.shares.addresses import hold
from grove_resource.tasks.access import IS_VISIBLE, PARTICIPANTS, HeldTask, Role, access_now, missing
from grove_resource.tasks.nesting import below

IS_THERE = select(exists().where(Task.id == bindparam("task_id")))
_LOCK_CLASS = 0x7470  # the advisory locks of users who change what is below what
_TABLE = cast("Table", Task.__table__)
STORED = tuple(column.key for column in _TABLE.columns if column.computed is None)


def _held(condition: ColumnElement[bool]) -> Select[Any]:
    """Rows that refer to the tasks can come meanwhile (FOR NO KEY UPDATE): the next one of a task that is locked does,
    below a task that somebody else has.
    """
    rows = select(*(_TABLE.c[name] for name in STORED)).where(condition, IS_VISIBLE).order_by(Task.id)
    locked = aliased(Task, rows.with_for_update(of=Task, key_share=True).subquery("locked"))
    access = access_now(locked.id)
    columns = select(locked, *access.c).select_from(join(locked, access, true()))
    return columns.execution_options(populate_existing=True)


_IDS = bindparam("ids", type_=ARRAY(Uuid))
_TREES = select(below(Task.id == any_(bindparam("trees", type_=ARRAY(Uuid)))).c.id)
# Made once: making one takes longer than running it.
_HELD = _held(Task.id == any_(_IDS))
_HELD_TREES = _held(Task.id.in_(union(select(func.unnest(_IDS)), _TREES)))


class TaskLocks:
    """Locks until the transaction ends. Rows are held apart from the session."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self.user_id = user_id

    async def turn(self) -> None:
        """One at a time says what is below which of the user's tasks. Before any task is locked."""
        turn = zlib.crc32(self.user_id.bytes) - 2**31
        await self._session.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, turn)))

    async def locked(self, task_id: UUID, *, tree: bool = False) -> HeldTask:
        """The task, and with `tree` all below it, locked until the transaction ends.

        Raises TaskNotFound or TaskOfAnotherUser.
        """
        return await self._one(task_id, await self.all_locked([task_id], trees=[task_id] if tree else []))

    async def all_locked(self, task_ids: Collection[UUID], *, trees: Collection[UUID] = ()) -> list[HeldTask]:
        """Lock those of them that are there, and all of these `trees`; which those are.

        In one order always, so that two who do this never wait in a circle.
        """
        statement, values = (_HELD_TREES, {"trees": list(trees)}) if trees else (_HELD, {})
        found = await self._session.execute(statement, {"user_id": self.user_id, "ids": list(task_ids), **values})
        held = [
            HeldTask(task, Role(role), list(participants), zone, list(waiting))
            for task, role, participants, zone, waiting in found
            if role is not None  # or the share was ended while this waited
        ]
        self._session.expunge_all()
        return held

    async def tree_locked(self, task_id: UUID) -> HeldTask:
        """The same with a tree of the user's to which nothing is added any more. The user has the turn.

        It is looked for again until all is locked: a task below that was completed meanwhile may have got its next one.
        """
        while True:
            held = await self.all_locked([task_id], trees=[task_id])
            root = await self._one(task_id, held)
            tree = set(await self._session.scalars(select(below(Task.id == task_id).c.id)))
            if root.role is not Role.OWNER or tree <= {each.task.id for each in held}:
                return root

    async def _one(self, task_id: UUID, held: Collection[HeldTask]) -> HeldTask:
        for each in held:
            if each.task.id == task_id:
                return each
        raise missing(is_there=await self._session.scalar(IS_THERE, {"task_id": task_id}))

    async def hold_waiting(self, tasks: Collection[HeldTask]) -> None:
        """Keep the shares of locked tasks that wait for an address waiting until the transaction ends: a copy made
        from now on is found by the event that tells whose the address is. Who got one since is a participant.
        """
        waiting = {email for held in tasks for email in held.waiting}
        if not waiting:
            return
        await hold(self._session, waiting)
        ids = [held.task.id for held in tasks]
        rows = await self._session.execute(select(Task.id, PARTICIPANTS.label("participants")).where(Task.id.in_(ids)))
        participants = {row.id: list(row.participants) for row in rows}
        for held in tasks:
            held.participants = participants[held.task.id]
