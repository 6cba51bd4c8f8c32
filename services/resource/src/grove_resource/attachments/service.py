"""The rules of attachments."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog

from grove.core.clock import now
from grove.core.ids import new_id
from grove.service.sessions import after_commit
from grove.web.uploads import Upload
from grove_resource.attachments.errors import TooManyAttachments
from grove_resource.attachments.repository import AttachmentRepository
from grove_resource.attachments.schemas import AttachmentState
from grove_resource.files.content_type import Sniffer
from grove_resource.files.names import clean_name
from grove_resource.files.store import FileStore, FileStoreAway
from grove_resource.models import Attachment

log = structlog.get_logger()

MAX_PER_TASK = 50


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file whose bytes are in the object store, and which no row names yet."""

    file_key: UUID
    name: str
    content_type: str
    size: int
    sha256: bytes


class AttachmentService:
    """Adds files to tasks and deletes them: the object is there before its row, and outlives it. Never commits.

    `scanned`: a new file waits for a scanner.
    """

    def __init__(self, attachments: AttachmentRepository, files: FileStore, *, scanned: bool) -> None:
        self._attachments = attachments
        self._files = files
        self._state = AttachmentState.SCANNING if scanned else AttachmentState.AVAILABLE

    @asynccontextmanager
    async def kept(self, upload: Upload) -> AsyncIterator[KeptFile]:
        """Put the bytes into the store, before the first statement: they may take long. When the block fails they
        are removed again, or left to the sweep. Raises FileStoreAway.
        """
        file_key = new_id()
        sniffer = Sniffer()
        await self._files.put(path_of(file_key), sniffer.through(upload.chunks()))
        try:
            yield KeptFile(file_key, clean_name(upload.name), sniffer.content_type, upload.size, upload.sha256)
        except BaseException:
            await self._discard(file_key)
            raise

    async def add(self, task_id: UUID, file: KeptFile) -> Attachment:
        """Give the file to a task.

        Raises TaskNotFound, TaskOfAnotherUser, OnlyToRead, TaskDeleted or TooManyAttachments.
        """
        await self._attachments.lock_task(task_id)
        if await self._attachments.count(task_id) >= MAX_PER_TASK:
            raise TooManyAttachments
        attachment = Attachment(
            id=new_id(),
            task_id=task_id,
            user_id=self._attachments.user_id,
            file_key=file.file_key,
            name=file.name,
            content_type=file.content_type,
            size=file.size,
            sha256=file.sha256,
            state=self._state,
            scanned_at=None,
            created_at=now(),
        )
        await self._attachments.add(attachment)
        return attachment

    async def delete(self, task_id: UUID, attachment_id: UUID) -> None:
        """Take a file from a task; its bytes go once that is committed.

        Raises TaskNotFound, TaskOfAnotherUser, OnlyToRead, TaskDeleted or AttachmentNotFound.
        """
        await self._attachments.lock_task(task_id)
        file_key = await self._attachments.remove(task_id, attachment_id)
        after_commit(self._attachments.session, lambda: self._discard(file_key))

    async def _discard(self, file_key: UUID) -> None:
        try:
            await self._files.delete([path_of(file_key)])
        except FileStoreAway:
            log.warning("attachment.left_to_the_sweep", file_key=str(file_key))


def path_of(file_key: UUID) -> str:
    """Where the object is."""
    return f"attachments/{file_key}"
