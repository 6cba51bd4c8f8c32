"""Queries on attachments: scoped by the acting user's part in the task, but for the scanner's."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, and_, bindparam, cast, delete, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.postgres.json_rows import JsonRow, constant
from grove.postgres.reads import Reads, Row, Statement
from grove_resource.attachments.errors import AttachmentNotFound, OnlyToRead
from grove_resource.attachments.schemas import AttachmentRead, AttachmentState
from grove_resource.models import Attachment, Share, Task
from grove_resource.tasks.access import access_now
from grove_resource.tasks.errors import TaskDeleted, TaskNotFound, TaskOfAnotherUser

ATTACHMENT_JSON = JsonRow(
    Attachment,
    AttachmentRead,
    {
        "id": Attachment.id,
        "task_id": Attachment.task_id,
        "name": Attachment.name,
        "content_type": Attachment.content_type,
        "size": Attachment.size,
        "state": Attachment.state,
        "created_at": Attachment.created_at,
        "url": constant("/api/v1/tasks/")
        + cast(Attachment.task_id, Text)
        + constant("/attachments/")
        + cast(Attachment.id, Text),
    },
)


def _access(*columns: Any) -> Select[Any]:
    """The task's owner, whether it is deleted, and the role it is shared with the acting user in."""
    shared = and_(Share.task_id == Task.id, Share.user_id == bindparam("user_id"))
    return (
        select(Task.user_id, Task.deleted_at, Share.role, *columns)
        .outerjoin(Share, shared)
        .where(Task.id == bindparam("task_id"))
    )


_READ_ACCESS = Statement(_access())
_READ = Statement(
    _access(
        Attachment.file_key,
        Attachment.name,
        Attachment.content_type,
        Attachment.size,
        Attachment.sha256,
        Attachment.state,
    ).outerjoin(Attachment, and_(Attachment.task_id == Task.id, Attachment.id == bindparam("attachment_id")))
)
# Two changes of a task's files wait for each other, and for the task's own; what refers to the task does not.
_LOCKED = (
    select(Task.id, Task.user_id, Task.deleted_at)
    .where(Task.id == bindparam("task_id"))
    .with_for_update(key_share=True)
    .subquery("locked")
)
_ACCESS_NOW = access_now(_LOCKED.c.id)
_LOCK_ACCESS = select(_LOCKED.c.user_id, _LOCKED.c.deleted_at, _ACCESS_NOW.c.role).select_from(
    _LOCKED.join(_ACCESS_NOW, true())
)


class AttachmentQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def check_task(self, task_id: UUID) -> None:
        """Raises TaskNotFound or TaskOfAnotherUser."""
        _role(await self._reads.first(_READ_ACCESS, task_id=task_id, user_id=self._user_id), self._user_id)

    async def get(self, task_id: UUID, attachment_id: UUID) -> Row:
        """The columns of one. Raises TaskNotFound, TaskOfAnotherUser or AttachmentNotFound."""
        row = await self._reads.first(_READ, task_id=task_id, attachment_id=attachment_id, user_id=self._user_id)
        _role(row, self._user_id)
        if row is None or row.file_key is None:
            raise AttachmentNotFound
        return row


class AttachmentRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self.session = session
        self.user_id = user_id

    async def lock_task(self, task_id: UUID) -> None:
        """Keep the task, and its number of files, as they are until the transaction ends.

        Raises TaskNotFound, TaskOfAnotherUser, OnlyToRead or TaskDeleted.
        """
        found = await self.session.execute(_LOCK_ACCESS, {"task_id": task_id, "user_id": self.user_id})
        row = found.one_or_none()
        if _role(row, self.user_id) == "viewer":
            raise OnlyToRead
        if row is not None and row.deleted_at is not None:
            raise TaskDeleted

    async def count(self, task_id: UUID) -> int:
        """How many files a task has."""
        return await self.session.scalar(select(func.count()).where(Attachment.task_id == task_id)) or 0

    async def add(self, attachment: Attachment) -> None:
        """Insert."""
        self.session.add(attachment)
        await self.session.flush()

    async def remove(self, task_id: UUID, attachment_id: UUID) -> UUID:
        """Delete; its `file_key`. Raises AttachmentNotFound."""
        file_key: UUID | None = await self.session.scalar(
            delete(Attachment)
            .where(Attachment.id == attachment_id, Attachment.task_id == task_id)
            .returning(Attachment.file_key)
        )
        if file_key is None:
            raise AttachmentNotFound
        return file_key


def _role(row: Any, user_id: UUID) -> str:
    """The acting user's part in the task. Raises TaskNotFound or TaskOfAnotherUser."""
    if row is None:
        raise TaskNotFound
    if row.user_id == user_id:
        return "owner"
    if row.role is None:
        raise TaskOfAnotherUser
    return str(row.role)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A file that a scanner took."""

    id: UUID
    file_key: UUID
    size: int


class ScanQueue:
    """Files that wait for the scanner. A claim is committed at once, so that a scan locks nothing, and ends with
    its `lease`: what a killed worker had is taken by another one.
    """

    def __init__(self, sessions: async_sessionmaker[AsyncSession], *, lease: timedelta) -> None:
        self._sessions = sessions
        self._lease = lease

    async def claim(self) -> Claimed | None:
        """A file that no other worker has: one that was never taken, oldest first, else the one not tried for longest.

        So files that no scan ends in time keep no newer one waiting.
        """
        moment = now()
        free = or_(Attachment.scanned_at.is_(None), Attachment.scanned_at < moment - self._lease)
        oldest = (
            select(Attachment.id)
            .where(Attachment.state == AttachmentState.SCANNING, free)
            .order_by(Attachment.scanned_at.nulls_first(), Attachment.created_at)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        async with self._sessions.begin() as session:
            claimed = await session.execute(
                update(Attachment)
                .where(Attachment.id == oldest)
                .values(scanned_at=moment)
                .returning(Attachment.id, Attachment.file_key, Attachment.size)
            )
            row = claimed.one_or_none()
        return Claimed(row.id, row.file_key, row.size) if row else None

    async def settle(self, claimed: Claimed, state: AttachmentState) -> None:
        """What the scanner found. A file that was deleted meanwhile stays deleted."""
        async with self._sessions.begin() as session:
            await session.execute(
                update(Attachment)
                .where(Attachment.id == claimed.id, Attachment.state == AttachmentState.SCANNING)
                .values(state=state, scanned_at=now())
            )
