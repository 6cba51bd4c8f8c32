"""Files on their way out: to be saved, never to be run, whole or in part, in pieces."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog
from fastapi import Response
from fastapi.responses import StreamingResponse

from grove.core.errors import NotFound
from grove.web.etag import Conditions
from grove.web.ranges import ByteRange, asked_range
from grove_resource.files.names import attachment_disposition
from grove_resource.files.store import FileStore

log = structlog.get_logger()

_NOT_KEPT = "private, no-store"  # who may read it can change
_HARMLESS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Accept-Ranges": "bytes",
}


def content_tag(sha256: bytes) -> str:
    """The strong ETag of these bytes."""
    return f'"{sha256.hex()}"'


@dataclass(frozen=True, slots=True)
class Download:
    """A stored file as a client gets it."""

    path: str
    name: str
    content_type: str
    size: int
    sha256: bytes

    async def answer(
        self, files: FileStore, conditions: Conditions, wanted: str | None, if_range: str | None
    ) -> Response:
        """200, 206 or 304 (RFC 9110 section 13.2.2).

        Raises PreconditionFailed, RangeNotSatisfiable, FileStoreAway, and NotFound for an object that is gone.
        """
        tag = content_tag(self.sha256)
        headers = {"ETag": tag, "Cache-Control": _NOT_KEPT}
        conditions.require(tag)
        if conditions.unchanged(tag):
            return Response(status_code=304, headers=headers)
        part = asked_range(wanted, if_range, tag=tag, size=self.size)
        headers |= _HARMLESS | {"Content-Disposition": attachment_disposition(self.name)}
        if part is not None:
            headers["Content-Range"] = part.content_range
        sent = part or ByteRange(0, self.size, self.size)
        pieces = await self._begun(files.get(self.path, start=sent.start, end=sent.end))
        headers["Content-Length"] = str(sent.length)
        return StreamingResponse(
            pieces, status_code=206 if part else 200, headers=headers, media_type=self.content_type
        )

    async def _begun(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """`pieces` with the first one read, so that what goes wrong at once is an error with a status."""
        try:
            first = await anext(pieces)
        except FileNotFoundError:
            log.error("files.object_missing", path=self.path)
            raise NotFound("This file is gone.") from None

        async def all_of_them() -> AsyncIterator[bytes]:
            yield first
            async for piece in pieces:
                yield piece

        return all_of_them()
