"""Queries on tags, always scoped by the acting user."""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Update, bindparam, delete, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import array, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.errors import ServiceUnavailable
from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove_resource.models import Tag, Task
from grove_resource.tags.errors import TagExists, TagNotFound
from grove_resource.tags.schemas import TagRead
from grove_resource.tasks.access import PARTICIPANTS
from grove_resource.tasks.times import moment_of_each

TAG_JSON = JsonRow(
    Tag,
    TagRead,
    {
        "id": Tag.id,
        "name": Tag.name,
        "color": Tag.color,
        "created_at": Tag.created_at,
        "updated_at": Tag.updated_at,
    },
)

_LOCK_CLASS = 0x7467  # the advisory locks of users who change their tags
_TRIES = 10
_GET = Statement(TAG_JSON.select(Tag.version).where(Tag.id == bindparam("tag_id"), Tag.user_id == bindparam("user_id")))
_COLUMNS = ("id", "user_id", "name", "color", "version", "created_at", "updated_at")


class TagQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, tag_id: UUID) -> tuple[str, int]:
        """One tag's JSON, and its version. Raises TagNotFound."""
        row = await self._reads.first(_GET, tag_id=tag_id, user_id=self._user_id)
        if row is None:
            raise TagNotFound
        return row[0], row[1]


class TagRepository:
    """Rows for change, in a transaction. They are held apart from the session: what `save` writes is written.

    Who changes a tag's name locks all tasks with it, by id, and then the tag; who gives a task a tag has locked that
    task, and then holds the tag (tasks/repository.py). So no task keeps a word that is gone, and nobody waits in a
    circle.
    """

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self.user_id = user_id

    async def add(self, tag: Tag, *, most: int) -> bool:
        """Insert; False when its name is taken, or the user has `most` tags already."""
        await self._turn()
        count = select(func.count()).where(Tag.user_id == self.user_id).scalar_subquery()
        row = select(*(literal(getattr(tag, name), Tag.__table__.c[name].type) for name in _COLUMNS)).where(
            count < most
        )
        added = insert(Tag).from_select(_COLUMNS, row).on_conflict_do_nothing().returning(Tag.id)
        return await self._session.scalar(added) is not None

    async def has(self, name: str) -> bool:
        """Whether the user has a tag of that name."""
        return bool(await self._session.scalar(select(exists().where(Tag.user_id == self.user_id, Tag.name == name))))

    async def locked_with_tasks(self, tag_id: UUID) -> Tag:
        """The tag and all the user's tasks with it, locked. Raises TagNotFound, or ServiceUnavailable when more and
        more tasks got it meanwhile.
        """
        await self._turn()
        name = select(Tag.name).where(Tag.id == tag_id, Tag.user_id == self.user_id).scalar_subquery()
        tagged = select(Task.id).where(Task.user_id == self.user_id, Task.tags.contains(array([name])))
        locked = tagged.order_by(Task.id).with_for_update(key_share=True).cte("locked")
        for _ in range(_TRIES):
            attempt = await self._session.begin_nested()
            tasks = await self._session.scalar(select(func.count()).select_from(locked))
            tag = await self.locked(tag_id)
            if tasks == await self._session.scalar(select(func.count()).select_from(tagged.subquery())):
                await attempt.commit()
                return tag
            await attempt.rollback()  # lets go of all: a task that got the tag meanwhile is locked in its order
        raise ServiceUnavailable

    async def _turn(self) -> None:
        """One at a time adds, renames or deletes tags of the user."""
        turn = zlib.crc32(self.user_id.bytes) - 2**31
        await self._session.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, turn)))

    async def locked(self, tag_id: UUID) -> Tag:
        """The tag, locked until the transaction ends. Raises TagNotFound."""
        tag = await self._session.scalar(
            select(Tag)
            .where(Tag.id == tag_id, Tag.user_id == self.user_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if tag is None:
            raise TagNotFound
        self._session.expunge(tag)
        return tag

    async def save(self, tag: Tag, former: str) -> Sequence[Any]:
        """Write the changes of a locked tag, in the tasks too when it had the name `former`. Raises TagExists."""
        change = (
            update(Tag)
            .where(Tag.id == tag.id)
            .values(name=tag.name, color=tag.color, version=tag.version, updated_at=tag.updated_at)
        )
        try:
            if tag.name == former:
                await self._session.execute(change, execution_options=_APART)
                return []
            renamed = self._tasks_with(former, tag.updated_at).values(
                tags=func.array_replace(Task.tags, former, tag.name)
            )
            return await self._changed(renamed.add_cte(change.cte("renamed")))
        except IntegrityError:
            raise TagExists from None

    async def delete(self, tag: Tag) -> Sequence[Any]:
        """Delete a locked tag, and take it out of the tasks: which those were."""
        without = self._tasks_with(tag.name, tag.updated_at).values(tags=func.array_remove(Task.tags, tag.name))
        return await self._changed(without.add_cte(delete(Tag).where(Tag.id == tag.id).cte("deleted")))

    def _tasks_with(self, name: str, moment: datetime) -> Update:
        """Their next versions."""
        return (
            update(Task)
            .where(Task.user_id == self.user_id, Task.tags.contains([name]))
            .values(version=Task.version + 1, updated_at=moment_of_each(moment))
        )

    async def _changed(self, change: Update) -> Sequence[Any]:
        told = (Task.id, Task.user_id, Task.title, Task.version, Task.updated_at, PARTICIPANTS.label("participants"))
        return (await self._session.execute(change.returning(*told), execution_options=_APART)).all()


_APART = {"synchronize_session": False}
