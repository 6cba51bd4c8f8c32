"""Moment routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from grove.service.listing import List
from grove.service.sessions import after_commit
from grove.web.answers import json_answer, json_text, not_modified
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions, etag
from grove.web.pagination import CursorPage, Page
from grove.web.query import query_as
from grove_resource.deps import (
    EventOutbox,
    MomentOnce,
    MomentReader,
    MomentWriter,
    ReadsDep,
    ResourcesDep,
    WriteSession,
)
from grove_resource.models import Moment
from grove_resource.moments import data_filters
from grove_resource.moments.checking import EarlyChecks, Verdict
from grove_resource.moments.listing import FILTERS, ORDERS, MomentFilter, parameters
from grove_resource.moments.repository import MOMENT_JSON, MomentQueries, MomentRepository
from grove_resource.moments.schemas import MomentCreate, MomentPatch, MomentRead, MomentReplace
from grove_resource.moments.service import MomentService

router = APIRouter(
    prefix="/api/v1/moments", tags=["moments"], route_class=GroveRoute, responses=error_responses(404, 412)
)

_MOMENT = TypeAdapter(MomentRead)
_MOMENTS = List(item=MOMENT_JSON, filters=FILTERS, orders=ORDERS)
Wanted = Annotated[MomentFilter, query_as(MomentFilter)]


async def _service(
    user: MomentWriter, session: WriteSession, outbox: EventOutbox, resources: ResourcesDep
) -> MomentService:
    after_commit(session, lambda: resources.recent_activities.forget(user.user_id))
    return MomentService(MomentRepository(session, user.user_id), outbox, resources.data_checks)


async def _early_checks(user: MomentWriter, reads: ReadsDep, resources: ResourcesDep) -> EarlyChecks:
    return EarlyChecks(reads, user.user_id, resources.data_checks)


Moments = Annotated[MomentService, Depends(_service)]
Early = Annotated[EarlyChecks, Depends(_early_checks)]


async def _checked(data: MomentCreate, early: Early) -> Verdict | None:
    return await early.of_new(data)


Checked = Annotated[Verdict | None, Depends(_checked)]
_CHECKED = Depends(_checked)
"""Before the Idempotency-Key is taken, which opens the transaction."""


@router.get("", response_model=Page[MomentRead] | CursorPage[MomentRead], openapi_extra=parameters())
async def list_moments(request: Request, user: MomentReader, reads: ReadsDep, wanted: Wanted) -> Response:
    """List your moments, those that occurred last first unless `sort` says otherwise."""
    given = wanted.given(data_filters.given(request.query_params.multi_items(), user.user_id))
    return await _MOMENTS.answer(request, reads, wanted, {"user_id": user.user_id, **given})


@router.post("", status_code=201, response_model=MomentRead, dependencies=[_CHECKED, MomentOnce])
async def create_moment(data: MomentCreate, checked: Checked, moments: Moments) -> Response:
    """Log a moment of an activity; `data` must satisfy the activity's present schema."""
    moment = await moments.create(data, checked)
    answer = _answer(moment, status=201)
    answer.headers["Location"] = f"/api/v1/moments/{moment.id}"
    return answer


@router.get("/{moment_id}", response_model=MomentRead, responses={304: {"description": "You have this version"}})
async def get_moment(moment_id: UUID, user: MomentReader, reads: ReadsDep, conditions: RequestConditions) -> Response:
    """Read a moment."""
    moment, version = await MomentQueries(reads, user.user_id).get(moment_id)
    tag = etag(moment_id, version)
    return not_modified(tag) if conditions.unchanged(tag) else json_text(moment, headers={"ETag": tag})


@router.put("/{moment_id}", response_model=MomentRead)
async def replace_moment(
    moment_id: UUID, data: MomentReplace, early: Early, moments: Moments, conditions: RequestConditions
) -> Response:
    """Replace all writable fields. `data` must satisfy the schema version that the moment is of."""
    return _answer(await moments.change(moment_id, data, conditions, await early.of_change(moment_id, data)))


@router.patch("/{moment_id}", response_model=MomentRead)
async def update_moment(
    moment_id: UUID, data: MomentPatch, early: Early, moments: Moments, conditions: RequestConditions
) -> Response:
    """Change the fields that are sent. In another activity, the moment is of that activity's present schema."""
    return _answer(await moments.change(moment_id, data, conditions, await early.of_change(moment_id, data)))


@router.delete("/{moment_id}", status_code=204)
async def delete_moment(moment_id: UUID, moments: Moments, conditions: RequestConditions) -> None:
    """Delete a moment."""
    await moments.delete(moment_id, conditions)


def _answer(moment: Moment, status: int = 200) -> Response:
    return json_answer(_MOMENT, MomentRead.of(moment), status=status, headers={"ETag": etag(moment.id, moment.version)})
