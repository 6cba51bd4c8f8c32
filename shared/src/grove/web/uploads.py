"""Taking a file: multipart, spooled to disk beyond a megabyte, never whole in memory."""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from grove.core.errors import BadRequest, Invalid, PayloadTooLarge, UnsupportedMedia
from grove.web.middleware import BODY_LIMIT

CHUNK_BYTES = 64 * 1024
_FRAME_BYTES = 16 * 1024
"""What the multipart frame around a file may take."""
# Names are UTF-8 (RFC 7578): an unknown or a slow decoding of them is nobody's need.
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w-]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that arrived whole. `name` and `content_type` are what the client says."""

    name: str
    content_type: str
    size: int
    sha256: bytes
    file: UploadFile

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes from the start, in pieces."""
        await self.file.seek(0)
        while chunk := await self.file.read(CHUNK_BYTES):
            yield chunk


@asynccontextmanager
async def received_file(request: Request, *, limit: int, field: str = "file") -> AsyncIterator[Upload]:
    """The one file of a form, at most `limit` bytes of it. Call it after sign-in and before the first statement:
    a slow sender must hold no connection. Raises UnsupportedMedia, PayloadTooLarge, Invalid, BadRequest.
    """
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data") or set(map(str.lower, _CHARSET.findall(kind))) - {"utf-8"}:
        raise UnsupportedMedia(f"Send the file as multipart/form-data, in a field named `{field}`.")
    request.scope[BODY_LIMIT] = limit + _FRAME_BYTES
    try:
        async with request.form(max_files=1, max_fields=0) as form:
            yield await _upload(form.get(field), limit, field)
    except ClientDisconnect:
        raise BadRequest("The connection ended before the file did.") from None


async def _upload(file: UploadFile | str | None, limit: int, field: str) -> Upload:
    if not isinstance(file, UploadFile):
        raise Invalid(details=[{"field": f"body.{field}", "message": "A file is needed", "type": "missing"}])
    digest, size = hashlib.sha256(), 0
    while chunk := await file.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    if size > limit:
        raise PayloadTooLarge(f"The file may have {limit} bytes at most.")
    if not size:
        raise Invalid(details=[{"field": f"body.{field}", "message": "The file is empty", "type": "value_error"}])
    return Upload(file.filename or "", file.content_type or "", size, digest.digest(), file)


def file_form(field: str = "file", description: str = "The file") -> dict[str, Any]:
    """`openapi_extra` of a route that takes a file."""
    schema = {
        "type": "object",
        "required": [field],
        "properties": {field: {"type": "string", "format": "binary", "description": description}},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
