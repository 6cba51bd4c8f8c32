"""Attachment routes."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import TypeAdapter

from grove.service.idempotency_keys import PostgresIdempotency
from grove.service.listing import List
from grove.web import idempotency
from grove.web.answers import json_answer
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove.web.uploads import file_form, received_file
from grove_resource.attachments.errors import AttachmentBeingScanned, AttachmentQuarantined
from grove_resource.attachments.listing import FILTERS, ORDERS, AttachmentQuery
from grove_resource.attachments.repository import ATTACHMENT_JSON, AttachmentQueries, AttachmentRepository
from grove_resource.attachments.schemas import AttachmentRead, AttachmentState
from grove_resource.attachments.service import AttachmentService, path_of
from grove_resource.deps import ReadsDep, TaskReader, TaskWriter, WriteSession
from grove_resource.files.serving import Download, content_tag
from grove_resource.resources import Resources

router = APIRouter(
    prefix="/api/v1/tasks/{task_id}/attachments",
    tags=["attachments"],
    route_class=GroveRoute,
    responses=error_responses(404),
)

_ATTACHMENT = TypeAdapter(AttachmentRead)
_ATTACHMENTS = List(item=ATTACHMENT_JSON, filters=FILTERS, orders=ORDERS)
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_DOWNLOAD: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": _BYTES},
    206: {"description": "The part that `Range` asks for", "content": _BYTES},
    304: {"description": "You have this file"},
}
Wanted = Annotated[AttachmentQuery, query_as(AttachmentQuery)]
RangeHeader = Annotated[str | None, Header(alias="Range", description="`bytes=…`: one part of the file")]
IfRange = Annotated[str | None, Header(description="The part only if the file still has this ETag, else all of it")]


async def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


Held = Annotated[Resources, Depends(_resources)]


async def _service(user: TaskWriter, session: WriteSession, held: Held) -> AttachmentService:
    scanned = bool(held.settings.clamd_socket)
    return AttachmentService(AttachmentRepository(session, user.user_id), held.files, scanned=scanned)


Attachments = Annotated[AttachmentService, Depends(_service)]


@router.get(
    "",
    response_model=Page[AttachmentRead] | CursorPage[AttachmentRead],
    openapi_extra=parameters_of(AttachmentQuery),
)
async def list_attachments(
    task_id: UUID, request: Request, user: TaskReader, reads: ReadsDep, wanted: Wanted
) -> Response:
    """List a task's files, newest first unless `sort` says otherwise."""
    given = {"task_id": task_id, "user_id": user.user_id}
    check = AttachmentQueries(reads, user.user_id).check_task
    return await _ATTACHMENTS.answer(request, reads, wanted, given, when_empty=lambda: check(task_id))


@router.post(
    "",
    status_code=201,
    response_model=AttachmentRead,
    openapi_extra=file_form(description="At most 10 MiB"),
    responses=error_responses(409, 415),
)
async def add_attachment(
    task_id: UUID,
    request: Request,
    user: TaskWriter,
    session: WriteSession,
    attachments: Attachments,
    held: Held,
    key: idempotency.KeyHeader = None,
) -> Response:
    """Attach a file to a task. Its type is found in its bytes; with a scanner set, it is `scanning` at first."""
    limit = held.settings.attachment_max_bytes
    async with received_file(request, limit=limit) as upload, attachments.kept(upload) as file:
        content = upload.sha256 + file.name.encode()
        await idempotency.begin(request, PostgresIdempotency(session), user.user_id, key, content=content)
        attachment = await attachments.add(task_id, file)
    read = AttachmentRead.of(attachment)
    headers = {"Location": read.url, "ETag": content_tag(attachment.sha256)}
    return json_answer(_ATTACHMENT, read, status=201, headers=headers)


@router.get("/{attachment_id}", response_class=Response, responses=_DOWNLOAD | error_responses(409, 412, 416))
async def download_attachment(
    task_id: UUID,
    attachment_id: UUID,
    user: TaskReader,
    reads: ReadsDep,
    held: Held,
    conditions: RequestConditions,
    wanted: RangeHeader = None,
    if_range: IfRange = None,
) -> Response:
    """Download a file, or the part of it that `Range` asks for."""
    found = await AttachmentQueries(reads, user.user_id).get(task_id, attachment_id)
    if found.state == AttachmentState.SCANNING:
        raise AttachmentBeingScanned
    if found.state == AttachmentState.QUARANTINED:
        raise AttachmentQuarantined
    file = Download(path_of(found.file_key), found.name, found.content_type, found.size, found.sha256)
    return await file.answer(held.files, conditions, wanted, if_range)


@router.delete("/{attachment_id}", status_code=204)
async def delete_attachment(task_id: UUID, attachment_id: UUID, attachments: Attachments) -> None:
    """Delete a file of a task."""
    await attachments.delete(task_id, attachment_id)
