"""Queries on tasks, always scoped by the acting user."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Executable,
    Result,
    String,
    Table,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSessionTransaction

from grove.core.clock import now
from grove.postgres.json_rows import JsonRow, one_of
from grove.postgres.reads import Reads, Row, Statement
from grove_resource.models import Tag, Task
from grove_resource.reminders import arming
from grove_resource.tasks.access import IS_VISIBLE, PARTICIPANTS, ROLE, HeldTask, Role, missing
from grove_resource.tasks.locks import IS_THERE, STORED, TaskLocks
from grove_resource.tasks.nesting import MAX_NESTING, above, below, levels
from grove_resource.tasks.schemas import Priority, TaskRead
from grove_resource.tasks.successor import copied
from grove_resource.tasks.times import moment_of_each
from grove_resource.tasks.versions import task_etag

TASK_JSON = JsonRow(
    Task,
    TaskRead,
    {
        "id": Task.id,
        "user_id": Task.user_id,
        "title": Task.title,
        "description": Task.description,
        "completed": Task.completed_at.is_not(None),
        "completed_at": Task.completed_at,
        "due_at": Task.due_at,
        "priority": one_of(Task.priority, [priority.value for priority in Priority]),
        "tags": Task.tags,
        "parent_id": Task.parent_id,
        "recurrence": Task.recurrence,
        "role": ROLE,
        "is_deleted": Task.deleted_at.is_not(None),
        "deleted_at": Task.deleted_at,
        "created_at": Task.created_at,
        "updated_at": Task.updated_at,
    },
)

_TABLE = cast("Table", Task.__table__)
_TAG = ("id", "user_id", "name", "created_at", "updated_at")
_CHANGING = tuple(name for name in STORED if name not in {"id", "user_id", "created_at"})

_THIS = Task.id == bindparam("task_id")
_GET = Statement(TASK_JSON.select(Task.version, ROLE.label("own_role")).where(_THIS, IS_VISIBLE))
_READ_IS_THERE = Statement(IS_THERE)


class TaskQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, task_id: UUID) -> tuple[str, int]:
        """One task's JSON, and its version. Raises TaskNotFound or TaskOfAnotherUser."""
        row = await self._get(task_id)
        return row[0], row[1]

    async def tagged(self, task_id: UUID) -> tuple[str, str]:
        """One task's JSON, and its ETag. Raises TaskNotFound or TaskOfAnotherUser."""
        row = await self._get(task_id)
        return row[0], task_etag(task_id, row[1], row[2])

    async def _get(self, task_id: UUID) -> Row:
        row = await self._reads.first(_GET, task_id=task_id, user_id=self._user_id)
        if row is None:
            raise missing(is_there=await self._reads.scalar(_READ_IS_THERE, task_id=task_id))
        return row


class TaskRepository(TaskLocks):
    """Rows for change, in a transaction. They are held apart from the session: what `save` writes is written."""

    def attempt(self) -> AsyncSessionTransaction:
        """A part of the transaction that can fail without the rest."""
        return self._session.begin_nested()

    async def add_tags(self, words: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], UUID]:
        """Insert those tags, by owner and name, that are not there, in one order always; the ids of these."""
        if not words:
            return {}
        owners, names = zip(*sorted(words), strict=True)
        pairs = func.unnest(literal(list(owners), ARRAY(Uuid)), literal(list(names), ARRAY(String)))
        word = pairs.table_valued("owner", "name").render_derived()
        moment = literal(now())
        rows = select(func.uuidv7(), word.c.owner, word.c.name, moment, moment)
        new = insert(Tag).from_select(_TAG, rows).on_conflict_do_nothing().returning(Tag.user_id, Tag.name, Tag.id)
        return {(owner, name): tag_id for owner, name, tag_id in await self._execute(new)}

    async def remove_tags(self, tag_ids: Collection[UUID]) -> None:
        """Take tags back that this transaction inserted and no task got."""
        if tag_ids:
            await self._execute(delete(Tag).where(Tag.id.in_(tag_ids)))

    async def add(self, task: Task, *, remind_at: datetime | None = None) -> None:
        """Insert, with those of its tags that its owner did not have, and a reminder."""
        statement = insert(_TABLE).values({name: getattr(task, name) for name in STORED})
        reminder = [arming.added(task, remind_at)] if remind_at is not None else []
        await self._execute(statement.add_cte(*_new_tags(task), *reminder))

    async def save(
        self, task: Task, *, tags_changed: bool = False, due_changed: bool = False, successor: Task | None = None
    ) -> None:
        """Write the changes of a locked task, with what follows from them: tags that its owner did not have, reminders
        that count from the due date, and the next one of a recurring task.
        """
        statement = update(Task).where(Task.id == task.id).values({name: getattr(task, name) for name in _CHANGING})
        if tags_changed:
            statement = statement.add_cte(*_new_tags(task))
        if due_changed:
            statement = statement.add_cte(arming.moved(task))
        if successor is not None:
            statement = statement.add_cte(*copied(task, successor))
        await self._execute(statement)

    async def delete_tree(self, task: Task, moment: datetime) -> list[HeldTask]:
        """Mark the task and what is below it as deleted. Which those were, the task first."""
        return await self._change_tree(task, Task.deleted_at.is_(None), moment, deleted_at=moment)

    async def restore_tree(self, task: Task, moment: datetime) -> list[HeldTask]:
        """Bring the task back, and what was deleted with it. Which those were, the task first."""
        return await self._change_tree(task, Task.deleted_at == task.deleted_at, moment, deleted_at=None)

    async def remove_tree(self, task: Task) -> list[HeldTask]:
        """Delete the task and what is below it for good. Which those were, the task first."""
        gone = delete(Task).where(Task.id.in_(select(below(Task.id == task.id).c.id)))
        return self._as_tree(task, await self._execute(gone.returning(Task, PARTICIPANTS)))

    async def _change_tree(
        self, task: Task, condition: ColumnElement[bool], moment: datetime, *, deleted_at: datetime | None
    ) -> list[HeldTask]:
        changed = (
            update(Task)
            .where(Task.id.in_(select(below(Task.id == task.id).c.id)), condition)
            .values(deleted_at=deleted_at, updated_at=moment_of_each(moment), version=Task.version + 1)
        )
        return self._as_tree(task, await self._execute(changed.returning(Task, PARTICIPANTS)))

    def _as_tree(self, root: Task, rows: Result[*tuple[Any, ...]]) -> list[HeldTask]:
        held = [HeldTask(task, Role.OWNER, list(participants)) for task, participants in rows]
        self._session.expunge_all()
        return sorted(held, key=lambda each: (each.task.id != root.id, each.task.id))

    async def _execute(self, statement: Executable) -> Result[*tuple[Any, ...]]:
        return await self._session.execute(statement, execution_options={"synchronize_session": False})

    async def is_deleted(self, task_id: UUID) -> bool:
        """Whether it is marked as deleted."""
        return bool(await self._session.scalar(select(Task.deleted_at.is_not(None)).where(Task.id == task_id)))

    async def can_be_parent(self, parent_id: UUID, child_id: UUID | None) -> bool:
        """Whether the user's task `parent_id` may have `child_id` below it, with all that is below that: it must not
        itself be below the child. The user has the turn.
        """
        line_up = above(and_(Task.id == parent_id, Task.user_id == self.user_id))
        height = select(func.max(levels(child_id).c.level)).scalar_subquery() if child_id else literal(1)
        line = {row.id: row for row in await self._session.execute(select(line_up, height.label("height")))}
        if parent_id not in line or child_id in line:
            return False
        parent = line[parent_id]
        return parent.deleted_at is None and len(line) + parent.height <= MAX_NESTING


def _new_tags(task: Task) -> list[CTE]:
    """Inserts the tags that are not there. Those that are, and that the task gets by this, are held as a foreign key
    would, so that none is renamed or deleted meanwhile (tags/repository.py).
    """
    if not task.tags:
        return []
    # Sorted: two who bring the same new tags wait for each other, never in a circle.
    wanted = literal(sorted(task.tags), ARRAY(String))
    had = exists().where(Task.id == task.id, Tag.name == any_(Task.tags)).correlate(Tag)
    held = select(Tag.id).where(Tag.user_id == task.user_id, Tag.name == any_(wanted), ~had)
    count = select(func.count()).select_from(held.with_for_update(key_share=True, read=True).cte("held"))
    moment = literal(task.updated_at)
    rows = select(func.uuidv7(), literal(task.user_id), func.unnest(wanted), moment, moment)
    once_held = rows.where(count.scalar_subquery() >= 0)
    return [insert(Tag).from_select(_TAG, once_held).on_conflict_do_nothing().cte("new_tags")]
