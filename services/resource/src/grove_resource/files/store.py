"""The object store."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from grove.core.errors import ServiceUnavailable
from grove_resource.settings import FileSettings

log = structlog.get_logger()

CHUNK_BYTES = 256 * 1024


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
        self._store = _open(settings)
        local = urlsplit(settings.files_url)
        self.folder = Path(local.path) if local.scheme == "file" else None
        """Where a local store keeps its files; None for one over the network."""

    async def put(self, path: str, chunks: AsyncIterator[bytes]) -> None:
        """Store what `chunks` yields, all of it or nothing."""
        with _answering():
            await obstore.put_async(self._store, path, chunks)

    async def get(self, path: str, *, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `end`, in pieces. Raises FileNotFoundError."""
        with _answering():
            found = await obstore.get_async(self._store, path, options={"range": (start, end)})
            async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    async def delete(self, paths: Iterable[str]) -> None:
        """Delete what is there of these."""
        for path in paths:
            with _answering():
                try:
                    await obstore.delete_async(self._store, path)
                except FileNotFoundError:
                    continue

    async def all(self, prefix: str) -> AsyncIterator[StoredFile]:
        """Every object below `prefix`."""
        with _answering():
            async for batch in obstore.list(self._store, prefix):
                for meta in batch:
                    yield StoredFile(meta["path"], meta["size"], meta["last_modified"])


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        log.error("files.store_away", error=str(error)[:500])
        raise FileStoreAway from error


def _open(settings: FileSettings) -> ObjectStore:
    url = urlsplit(settings.files_url)
    if url.scheme == "file":
        return LocalStore(url.path, mkdir=True)
    return S3Store(
        url.netloc,
        prefix=url.path.strip("/") or None,
        config={"endpoint": settings.files_s3_endpoint} if settings.files_s3_endpoint else {},
        region=settings.files_s3_region,
        access_key_id=settings.secrets.read("files_s3_access_key"),
        secret_access_key=settings.secrets.read("files_s3_secret_key"),
        client_options={"allow_http": settings.files_s3_endpoint.startswith("http://"), "timeout": "30s"},
        retry_config={"max_retries": 2},
    )
