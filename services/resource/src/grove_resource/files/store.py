"""The object store."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from grove.core.clock import now
from grove.core.errors import ServiceUnavailable
from grove_resource.settings import FileSettings

if TYPE_CHECKING:
    from obstore.store import S3Credential

log = structlog.get_logger()

PIECE_BYTES = 1024 * 1024
"""What is read at a time. Each piece is a request of its own, so that a slow reader holds no connection."""
_LOCAL_PART_BYTES = 256 * 1024
_S3_PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes
PUT_SECONDS = 20
"""For one object, a turn included. The edge gives up after 30 s: what a request asks of the store ends before."""
DELETE_SECONDS = 5
_GET_SECONDS = 20
_KEYS_SECONDS = 60  # and then the secrets are looked at again
_PUTS_AT_ONCE = 8  # each has some parts in memory


class FileStoreAway(ServiceUnavailable):
    """503: the object store does not answer."""

    message = "Files are not available right now. Try again in a moment."


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object. `path` is below the store's root."""

    path: str
    size: int
    modified_at: datetime


class FileStore:
    """Objects by path. Every method raises FileStoreAway when the store does not answer."""

    def __init__(self, settings: FileSettings) -> None:
        self._settings = settings
        self._opened: ObjectStore | None = None
        local = urlsplit(settings.files_url)
        self.folder = Path(local.path) if local.scheme == "file" else None
        """Where a local store keeps its files; None for one over the network."""
        self._part_bytes = _LOCAL_PART_BYTES if self.folder else _S3_PART_BYTES
        self._putting = asyncio.Semaphore(_PUTS_AT_ONCE)

    @property
    def _store(self) -> ObjectStore:
        """Opened when it is first needed: a process starts without it. Raises FileStoreAway."""
        if self._opened is None:
            try:
                self._opened = _open(self._settings)
            except OSError as error:
                log.error("files.no_folder", error=str(error))
                raise FileStoreAway from error
        return self._opened

    async def put(self, path: str, chunks: AsyncIterator[bytes]) -> None:
        """Store what `chunks` yields, all of it or nothing. On return it survives a loss of power."""
        with _answering():
            try:
                async with asyncio.timeout(PUT_SECONDS), self._putting:
                    await obstore.put_async(self._store, path, chunks, chunk_size=self._part_bytes, max_concurrency=2)
                    if self.folder is not None:
                        await asyncio.to_thread(_to_disk, self.folder / path)
            except FileNotFoundError as no_bucket:
                raise FileStoreAway from no_bucket

    async def get(self, path: str, *, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `end`, in pieces. Raises FileNotFoundError."""
        for begin in range(start, end, PIECE_BYTES):
            stop = min(begin + PIECE_BYTES, end)
            with _answering():
                async with asyncio.timeout(_GET_SECONDS):
                    piece = await obstore.get_range_async(self._store, path, start=begin, end=stop)
            yield bytes(piece)

    async def read(self, path: str) -> bytes:
        """A small object, whole. Raises FileNotFoundError."""
        with _answering():
            async with asyncio.timeout(_GET_SECONDS):
                return bytes(await (await obstore.get_async(self._store, path)).bytes_async())

    async def delete(self, paths: Iterable[str]) -> None:
        """Delete what is there of these."""
        for path in paths:
            with _answering():
                try:
                    async with asyncio.timeout(DELETE_SECONDS):
                        await obstore.delete_async(self._store, path)
                except FileNotFoundError:
                    continue

    async def all(self, prefix: str) -> AsyncIterator[StoredFile]:
        """Every object below `prefix`."""
        with _answering():
            async for batch in obstore.list(self._store, prefix):
                for meta in batch:
                    yield StoredFile(meta["path"], meta["size"], meta["last_modified"])

    async def check(self) -> str | None:
        """A health check: there is a folder that can be written, or a bucket."""
        try:
            store = self._store
            if self.folder is not None:
                return await asyncio.to_thread(_problem_of, self.folder)
            async for _ in obstore.list(store, "health"):
                break
        except FileStoreAway as away:
            return f"the folder can't be made: {away.__cause__}"
        except BaseError as error:
            return f"the object store does not answer: {error}"[:300]
        return None


def _problem_of(folder: Path) -> str | None:
    if not folder.is_dir():
        return f"the folder {folder} is not there"
    return None if os.access(folder, os.W_OK | os.X_OK) else f"the folder {folder} can't be written"


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (BaseError, TimeoutError) as error:
        log.error("files.store_away", error=str(error)[:500])
        raise FileStoreAway from error


def _to_disk(file: Path) -> None:
    """Have the system write a file and its name from memory to the disk."""
    for path in (file, file.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _open(settings: FileSettings) -> ObjectStore:
    url = urlsplit(settings.files_url)
    if url.scheme == "file":
        return LocalStore(url.path, mkdir=True, automatic_cleanup=True)
    secrets = settings.secrets

    def keys() -> "S3Credential":
        return {
            "access_key_id": secrets.read("files_s3_access_key"),
            "secret_access_key": secrets.read("files_s3_secret_key"),
            "expires_at": now() + timedelta(seconds=_KEYS_SECONDS),
        }

    return S3Store(
        url.netloc,
        prefix=url.path.strip("/") or None,
        config={"endpoint": settings.files_s3_endpoint} if settings.files_s3_endpoint else {},
        region=settings.files_s3_region,
        credential_provider=keys,
        client_options={
            "allow_http": settings.files_s3_endpoint.startswith("http://"),
            "connect_timeout": "3s",
            "timeout": "15s",
        },
        retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=30)},
    )
