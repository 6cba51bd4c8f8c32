"""Tag routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from grove.service.listing import List
from grove.web.answers import json_answer, json_text, not_modified
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions, etag
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove_resource.deps import EventOutbox, ReadsDep, TaskOnce, TaskReader, TaskWriter, WriteSession
from grove_resource.models import Tag
from grove_resource.tags.listing import FILTERS, ORDERS, TagQuery
from grove_resource.tags.repository import TAG_JSON, TagQueries, TagRepository
from grove_resource.tags.schemas import TagCreate, TagPatch, TagRead, TagReplace
from grove_resource.tags.service import TagService

router = APIRouter(
    prefix="/api/v1/tags", tags=["tags"], route_class=GroveRoute, responses=error_responses(404, 409, 412)
)

_TAG = TypeAdapter(TagRead)
Wanted = Annotated[TagQuery, query_as(TagQuery)]
_TAGS = List(item=TAG_JSON, filters=FILTERS, orders=ORDERS)


async def _service(user: TaskWriter, session: WriteSession, outbox: EventOutbox) -> TagService:
    return TagService(TagRepository(session, user.user_id), outbox)


Tags = Annotated[TagService, Depends(_service)]


@router.get("", response_model=Page[TagRead] | CursorPage[TagRead], openapi_extra=parameters_of(TagQuery))
async def list_tags(request: Request, user: TaskReader, reads: ReadsDep, wanted: Wanted) -> Response:
    """List your tags by name, unless `sort` says otherwise."""
    return await _TAGS.answer(request, reads, wanted, {"user_id": user.user_id})


@router.post("", status_code=201, response_model=TagRead, dependencies=[TaskOnce])
async def create_tag(data: TagCreate, tags: Tags) -> Response:
    """Create a tag. Tags that you give to a task are created by that."""
    tag = await tags.create(data)
    answer = _answer(tag, status=201)
    answer.headers["Location"] = f"/api/v1/tags/{tag.id}"
    return answer


@router.get("/{tag_id}", response_model=TagRead, responses={304: {"description": "You have this version"}})
async def get_tag(tag_id: UUID, user: TaskReader, reads: ReadsDep, conditions: RequestConditions) -> Response:
    """Read a tag."""
    text, version = await TagQueries(reads, user.user_id).get(tag_id)
    mark = etag(tag_id, version)
    return not_modified(mark) if conditions.unchanged(mark) else json_text(text, headers={"ETag": mark})


@router.put("/{tag_id}", response_model=TagRead)
async def replace_tag(tag_id: UUID, data: TagReplace, tags: Tags, conditions: RequestConditions) -> Response:
    """Replace all writable fields of a tag. A new name is set in all your tasks."""
    return _answer(await tags.change(tag_id, data, conditions))


@router.patch("/{tag_id}", response_model=TagRead)
async def update_tag(tag_id: UUID, data: TagPatch, tags: Tags, conditions: RequestConditions) -> Response:
    """Change the fields that are sent. A new name is set in all your tasks."""
    return _answer(await tags.change(tag_id, data, conditions))


@router.delete("/{tag_id}", status_code=204)
async def delete_tag(tag_id: UUID, tags: Tags, conditions: RequestConditions) -> None:
    """Delete a tag and take it out of all your tasks."""
    await tags.delete(tag_id, conditions)


def _answer(tag: Tag, status: int = 200) -> Response:
    return json_answer(_TAG, TagRead.of(tag), status=status, headers={"ETag": etag(tag.id, tag.version)})
