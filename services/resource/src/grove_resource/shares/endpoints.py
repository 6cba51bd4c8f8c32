"""Share routes."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from grove.service.listing import List
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove.web.rate_limit import Limit
from grove_resource.deps import EventOutbox, LimiterDep, ReadsDep, TaskOnce, TaskReader, TaskWriter, WriteSession
from grove_resource.shares.listing import FILTERS, ORDERS, ShareQuery
from grove_resource.shares.repository import SHARE_JSON, ShareQueries, ShareRepository
from grove_resource.shares.schemas import ShareCreate, ShareRead
from grove_resource.shares.service import ShareService
from grove_resource.tasks.repository import TaskRepository

router = APIRouter(
    prefix="/api/v1/tasks/{task_id}/shares", tags=["shares"], route_class=GroveRoute, responses=error_responses(404)
)

SHARE_LIMIT = Limit("shares", 60, 3600)
"""Per user: nobody can try out addresses, or have many strangers told."""
_SHARES = List(item=SHARE_JSON, filters=FILTERS, orders=ORDERS)
Wanted = Annotated[ShareQuery, query_as(ShareQuery)]
Which = Annotated[UUID | Literal["me"], Path(description="The share's id; `me` for your own part in the task")]


async def _service(user: TaskWriter, session: WriteSession, outbox: EventOutbox) -> ShareService:
    return ShareService(TaskRepository(session, user.user_id), ShareRepository(session), outbox)


async def _within_limit(user: TaskWriter, limiter: LimiterDep) -> None:
    await limiter.enforce(SHARE_LIMIT, str(user.user_id))


Shares = Annotated[ShareService, Depends(_service)]


@router.get("", response_model=Page[ShareRead] | CursorPage[ShareRead], openapi_extra=parameters_of(ShareQuery))
async def list_shares(request: Request, task_id: UUID, user: TaskReader, reads: ReadsDep, wanted: Wanted) -> Response:
    """List with whom you share a task, newest first; only its owner may."""
    answer = await _SHARES.answer(request, reads, wanted, {"task_id": task_id, "owner_id": user.user_id})
    if answer.headers.get("X-Total-Count", "0") == "0":  # perhaps there are none because the task is not the user's
        await ShareQueries(reads, user.user_id).must_own(task_id)
    return answer


@router.post("", status_code=202, response_class=Response, dependencies=[Depends(_within_limit), TaskOnce])
async def share_task(task_id: UUID, data: ShareCreate, shares: Shares) -> Response:
    """Share a task with an address, or change the role that it has.

    The answer is the same whoever has the address. If nobody has, the share waits until somebody verifies it.
    """
    await shares.share(task_id, data)
    return Response(status_code=202)


@router.delete("/{share_id}", status_code=204)
async def unshare_task(task_id: UUID, share_id: Which, shares: Shares) -> None:
    """End a share of your task; or leave a task that is shared with you."""
    await shares.unshare(task_id, None if share_id == "me" else share_id)
