"""The worker's scans of new attachments."""

import asyncio

import structlog

from grove.postgres.engine import STORE_ERRORS
from grove_resource.attachments.repository import Claimed, ScanQueue
from grove_resource.attachments.schemas import AttachmentState
from grove_resource.attachments.service import path_of
from grove_resource.files.clamd import Clamd, ClamdError
from grove_resource.files.store import FileStore, FileStoreAway

log = structlog.get_logger()

POLL_SECONDS = 1.0
AWAY_SECONDS = 5.0
_AWAY: tuple[type[Exception], ...] = (ClamdError, FileStoreAway, *STORE_ERRORS)


class Scanner:
    """Takes files one after another; several workers share them. Without clamd they wait."""

    def __init__(self, queue: ScanQueue, files: FileStore, clamd: Clamd) -> None:
        self._queue = queue
        self._files = files
        self._clamd = clamd

    async def run(self) -> None:
        """Scan until cancelled."""
        while True:
            try:
                if not await self.scan_next():
                    await asyncio.sleep(POLL_SECONDS)
            except _AWAY as error:
                log.warning("attachments.scan_waits", error=str(error)[:500])
                await asyncio.sleep(AWAY_SECONDS)

    async def scan_next(self) -> bool:
        """Scan the file that waits longest; whether there was one. Raises ClamdError when clamd is away, FileStoreAway.

        A file that clamd has no verdict about, or falls over, is tried again when its claim has ended: it keeps no
        other file waiting.
        """
        await self._clamd.ping()
        claimed = await self._queue.claim()
        if claimed is None:
            return False
        try:
            found = await self._clamd.scan(self._files.get(path_of(claimed.file_key), start=0, end=claimed.size))
        except (ClamdError, FileNotFoundError) as error:
            log.error("attachment.not_scanned", attachment_id=str(claimed.id), error=str(error)[:500])
            return True
        await self._settle(claimed, found)
        return True

    async def check(self) -> str | None:
        """A health check."""
        try:
            await self._clamd.ping()
        except ClamdError as away:
            return f"{away}; new attachments wait"
        return None

    async def _settle(self, claimed: Claimed, found: str | None) -> None:
        if found is None:
            await self._queue.settle(claimed, AttachmentState.AVAILABLE)
            return
        await self._queue.settle(claimed, AttachmentState.QUARANTINED)
        log.warning(
            "attachment.quarantined",
            attachment_id=str(claimed.id),
            path=path_of(claimed.file_key),
            signature=found,
        )
