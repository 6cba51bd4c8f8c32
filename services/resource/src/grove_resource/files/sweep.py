"""What is left over in the object store: objects that no row names, and what a killed process was writing."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from grove.core.clock import now
from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove.postgres.reads import Reads, Statement
from grove_resource.files.store import FileStore, FileStoreAway, StoredFile
from grove_resource.models import Attachment, Profile

log = structlog.get_logger()

_KEYS = any_(bindparam("keys", type_=ARRAY(Uuid)))
_NAMED = {
    "attachments": Statement(select(Attachment.file_key).where(Attachment.file_key == _KEYS)),
    "photos": Statement(select(Profile.photo_key).where(Profile.photo_key == _KEYS)),
}
"""Folder of the store → which of some keys are in use."""
_AWAY: tuple[type[Exception], ...] = (FileStoreAway, *STORE_ERRORS)
_BATCH = 500
_HALF_WRITTEN = re.compile(r"#\d+$")


class Sweep:
    """Removes what is older than `grace` and that nothing refers to. Running twice, or side by side, does no harm."""

    def __init__(self, files: FileStore, reads: Reads, *, grace: timedelta, every_seconds: float) -> None:
        self._files = files
        self._reads = reads
        self._grace = grace
        self._every_seconds = every_seconds

    async def run(self) -> None:
        """Clean until cancelled."""
        await every(self._every_seconds, self.clean, away=_AWAY)

    async def clean(self) -> int:
        """Once. Returns how many files were removed. Raises FileStoreAway."""
        before = now() - self._grace
        removed = 0
        for folder in _NAMED:
            async for batch in self._old(folder, before):
                unnamed = await self._unnamed(folder, batch)
                await self._files.delete(unnamed)
                removed += len(unnamed)
        if self._files.folder is not None:
            removed += await asyncio.to_thread(_remove_half_written, self._files.folder, before.timestamp())
        if removed:
            log.info("files.swept", removed=removed)
        return removed

    async def _old(self, folder: str, before: datetime) -> AsyncIterator[list[StoredFile]]:
        batch: list[StoredFile] = []
        async for file in self._files.all(folder):
            if file.modified_at < before:
                batch.append(file)
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    async def _unnamed(self, folder: str, batch: list[StoredFile]) -> list[str]:
        keys = {file.path: _key_of(file.path) for file in batch}
        wanted = list({key for key in keys.values() if key is not None})
        named = {row[0] for row in await self._reads.all(_NAMED[folder], keys=wanted)}
        return [path for path, key in keys.items() if key not in named]


def _key_of(path: str) -> UUID | None:
    """The key in `attachments/<key>` or `photos/<key>/<size>.webp`; None for what no row can name."""
    try:
        return UUID(path.split("/")[1])
    except ValueError:
        return None


def _remove_half_written(folder: Path, before: float) -> int:
    """A local put writes to `<name>#<number>` and renames that at its end; the store itself does not list these."""
    removed = 0
    for parent, _, names in os.walk(folder):
        for name in filter(_HALF_WRITTEN.search, names):
            path = Path(parent, name)
            try:
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # another worker, or the put's own end
    return removed
