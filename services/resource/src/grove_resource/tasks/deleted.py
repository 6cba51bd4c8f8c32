"""The purge's queries: deleted tasks of all users."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from grove.core.clock import now
from grove_resource.models import Task
from grove_resource.tasks.access import PARTICIPANTS, HeldTask, Role
from grove_resource.tasks.times import moment_of_each

_OPTIONS = {"synchronize_session": False}


class DeletedTasks:
    """Rows for removal, in a transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock_old(self, before: datetime, limit: int) -> list[UUID]:
        """Tasks deleted before that time, oldest first, passing over what others hold.

        Those with deleted subtasks wait until these are gone, so that no cascade ever removes a task.
        """
        below = aliased(Task)
        rows = await self._session.scalars(
            select(Task.id)
            .where(Task.deleted_at < before, ~exists().where(below.parent_id == Task.id, below.deleted_at.is_not(None)))
            .order_by(Task.deleted_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return list(rows)

    async def free_below(self, ids: Collection[UUID]) -> list[HeldTask]:
        """Make a live subtask of the locked `ids` a task of its own: two changes at once could leave one there."""
        free = select(Task.id).where(Task.parent_id.in_(ids), Task.deleted_at.is_(None)).order_by(Task.id)
        freed = (
            update(Task)
            .where(Task.id.in_(free.with_for_update(skip_locked=True, key_share=True)))
            .values(parent_id=None, updated_at=moment_of_each(now()), version=Task.version + 1)
            .returning(Task, PARTICIPANTS)
        )
        return await self._held(freed)

    async def remove(self, ids: Collection[UUID]) -> list[HeldTask]:
        """Remove those of the locked `ids` that have no subtask. While they are locked they can't get one."""
        below = aliased(Task)
        gone = delete(Task).where(Task.id.in_(ids), ~exists().where(below.parent_id == Task.id))
        return await self._held(gone.returning(Task, PARTICIPANTS))

    async def _held(self, statement: object) -> list[HeldTask]:
        rows = await self._session.execute(statement, execution_options=_OPTIONS)  # type: ignore[call-overload]
        held = [HeldTask(task, Role.OWNER, list(participants)) for task, participants in rows]
        self._session.expunge_all()
        return held
