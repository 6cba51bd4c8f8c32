"""Reminder routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from grove.service.listing import List
from grove.web.answers import json_answer
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove_resource.deps import ReadsDep, TaskOnce, TaskReader, TaskWriter, WriteSession
from grove_resource.reminders.listing import FILTERS, ORDERS, ReminderQuery
from grove_resource.reminders.repository import REMINDER_JSON, ReminderQueries, ReminderRepository
from grove_resource.reminders.schemas import ReminderCreate, ReminderRead
from grove_resource.reminders.service import ReminderService
from grove_resource.tasks.repository import TaskRepository

router = APIRouter(
    prefix="/api/v1/tasks/{task_id}/reminders",
    tags=["reminders"],
    route_class=GroveRoute,
    responses=error_responses(404),
)

_REMINDER = TypeAdapter(ReminderRead)
_REMINDERS = List(item=REMINDER_JSON, filters=FILTERS, orders=ORDERS)
Wanted = Annotated[ReminderQuery, query_as(ReminderQuery)]


async def _service(user: TaskWriter, session: WriteSession) -> ReminderService:
    return ReminderService(ReminderRepository(session, user.user_id), TaskRepository(session, user.user_id))


Reminders = Annotated[ReminderService, Depends(_service)]


@router.get(
    "", response_model=Page[ReminderRead] | CursorPage[ReminderRead], openapi_extra=parameters_of(ReminderQuery)
)
async def list_reminders(
    task_id: UUID, request: Request, user: TaskReader, reads: ReadsDep, wanted: Wanted
) -> Response:
    """List your own reminders for a task, newest first unless `sort` says otherwise."""
    given = {"task_id": task_id, "user_id": user.user_id, "visible": True}
    check = ReminderQueries(reads, user.user_id).check_task
    return await _REMINDERS.answer(request, reads, wanted, given, when_empty=lambda: check(task_id))


@router.post("", status_code=201, response_model=ReminderRead, dependencies=[TaskOnce])
async def add_reminder(task_id: UUID, data: ReminderCreate, reminders: Reminders) -> Response:
    """Be reminded of a task at a time, or some minutes before it is due; 20 reminders for a task at most.

    One that counts from the due date moves with it. When its time is over already it does not fire.
    """
    reminder = await reminders.add(task_id, data)
    location = f"/api/v1/tasks/{task_id}/reminders/{reminder.id}"
    return json_answer(_REMINDER, reminder, status=201, headers={"Location": location})


@router.delete("/{reminder_id}", status_code=204)
async def delete_reminder(task_id: UUID, reminder_id: UUID, reminders: Reminders) -> None:
    """Delete a reminder of yours."""
    await reminders.remove(task_id, reminder_id)
