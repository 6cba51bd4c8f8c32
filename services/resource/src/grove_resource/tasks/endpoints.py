"""Task routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter

from grove.service.listing import List
from grove.web.answers import json_answer, json_text, not_modified
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove_resource.deps import EventOutbox, ReadsDep, TaskOnce, TaskReader, TaskWriter, WriteSession
from grove_resource.tasks.access import HeldTask
from grove_resource.tasks.bulk import BulkRequest, BulkResults, BulkService
from grove_resource.tasks.listing import EITHER, FILTERS, ORDERS, TaskFilter
from grove_resource.tasks.repository import TASK_JSON, TaskQueries, TaskRepository
from grove_resource.tasks.schemas import Completion, TaskCreate, TaskPatch, TaskRead, TaskReplace
from grove_resource.tasks.service import TaskService
from grove_resource.tasks.versions import etag_of

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"], route_class=GroveRoute, responses=error_responses(404, 412))

_TASK = TypeAdapter(TaskRead)
_RESULTS = TypeAdapter(BulkResults)
Wanted = Annotated[TaskFilter, query_as(TaskFilter)]
_TASKS = List(item=TASK_JSON, filters=FILTERS, orders=ORDERS, either=EITHER)


async def _service(user: TaskWriter, session: WriteSession, outbox: EventOutbox) -> TaskService:
    return TaskService(TaskRepository(session, user.user_id), outbox)


Tasks = Annotated[TaskService, Depends(_service)]


async def _bulk(user: TaskWriter, session: WriteSession, tasks: Tasks) -> BulkService:
    return BulkService(TaskRepository(session, user.user_id), tasks)


Bulk = Annotated[BulkService, Depends(_bulk)]


@router.get("", response_model=Page[TaskRead] | CursorPage[TaskRead], openapi_extra=parameters_of(TaskFilter))
async def list_tasks(request: Request, user: TaskReader, reads: ReadsDep, wanted: Wanted) -> Response:
    """List your tasks and those that others share with you, newest first unless `sort` says otherwise."""
    return await _TASKS.answer(request, reads, wanted, {"user_id": user.user_id, **wanted.given})


@router.post("", status_code=201, response_model=TaskRead, dependencies=[TaskOnce])
async def create_task(data: TaskCreate, tasks: Tasks) -> Response:
    """Create a task."""
    held = await tasks.create(data)
    answer = _answer(held, status=201)
    answer.headers["Location"] = f"/api/v1/tasks/{held.task.id}"
    return answer


@router.post("/bulk", response_model=BulkResults, dependencies=[TaskOnce])
async def change_tasks(data: BulkRequest, bulk: Bulk) -> Response:
    """Do up to 100 things with tasks, in the order asked. One that fails changes nothing and stops no other.

    Each result has the status that a request of its own would have been answered with.
    """
    return json_answer(_RESULTS, BulkResults(await bulk.run(data.operations)))


@router.get("/{task_id}", response_model=TaskRead, responses={304: {"description": "You have this version"}})
async def get_task(task_id: UUID, user: TaskReader, reads: ReadsDep, conditions: RequestConditions) -> Response:
    """Read a task; a deleted one shows `is_deleted`."""
    task, tag = await TaskQueries(reads, user.user_id).tagged(task_id)
    return not_modified(tag) if conditions.unchanged(tag) else json_text(task, headers={"ETag": tag})


@router.put("/{task_id}", response_model=TaskRead)
async def replace_task(task_id: UUID, data: TaskReplace, tasks: Tasks, conditions: RequestConditions) -> Response:
    """Replace all writable fields of a task."""
    return _answer(await tasks.change(task_id, data, conditions))


@router.patch("/{task_id}", response_model=TaskRead)
async def update_task(task_id: UUID, data: TaskPatch, tasks: Tasks, conditions: RequestConditions) -> Response:
    """Change the fields that are sent."""
    return _answer(await tasks.change(task_id, data, conditions))


@router.patch("/{task_id}/complete", response_model=TaskRead)
async def complete_task(
    task_id: UUID, tasks: Tasks, conditions: RequestConditions, data: Completion | None = None
) -> Response:
    """Complete a pending task or reopen a completed one; with `completed` in the body, set it.

    Completing one that recurs makes the next one, which `Link` names.
    """
    return _answer(await tasks.complete(task_id, data.completed if data else None, conditions))


@router.delete("/{task_id}", status_code=204)
async def delete_task(
    task_id: UUID,
    tasks: Tasks,
    conditions: RequestConditions,
    permanent: Annotated[bool, Query(description="Remove for good, subtasks included")] = False,
) -> None:
    """Delete a task; it can be restored unless `permanent`."""
    await tasks.delete(task_id, conditions, permanent=permanent)


@router.post("/{task_id}/restore", response_model=TaskRead)
async def restore_task(task_id: UUID, tasks: Tasks, conditions: RequestConditions) -> Response:
    """Bring a deleted task back."""
    return _answer(await tasks.restore(task_id, conditions))


def _answer(held: HeldTask, status: int = 200) -> Response:
    headers = {"ETag": etag_of(held)}
    if held.successor is not None:
        headers["Link"] = f'</api/v1/tasks/{held.successor.id}>; rel="next"'
    return json_answer(_TASK, TaskRead.of(held), status=status, headers=headers)
