"""Changing tasks in GraphQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import strawberry

from grove_resource.graphql.context import Context, Info
from grove_resource.graphql.fields import field
from grove_resource.graphql.inputs import IfMatch, conditions, validated
from grove_resource.graphql.nodes import Kind, global_id, uuid_of
from grove_resource.graphql.tasks import TaskNode
from grove_resource.tasks.access import HeldTask
from grove_resource.tasks.repository import TaskRepository
from grove_resource.tasks.schemas import Priority, TaskCreate, TaskPatch, TaskRead
from grove_resource.tasks.service import TaskService

_WRITE = "tasks:write"
_IDS = {"parent_id": Kind.TASK}


@strawberry.input(description="A new task.")
class CreateTaskInput:
    """As the body of POST /tasks."""

    title: str
    description: str | None = strawberry.UNSET
    completed: bool | None = strawberry.UNSET
    due_at: datetime | None = strawberry.UNSET
    priority: Priority | None = strawberry.UNSET
    tags: list[str] | None = strawberry.UNSET
    parent_id: strawberry.ID | None = strawberry.UNSET
    recurrence: str | None = strawberry.UNSET
    remind_at: datetime | None = strawberry.UNSET


@strawberry.input(description="The fields of a task to change.")
class UpdateTaskInput:
    """As the body of PATCH /tasks/{id}."""

    title: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET
    completed: bool | None = strawberry.UNSET
    due_at: datetime | None = strawberry.UNSET
    priority: Priority | None = strawberry.UNSET
    tags: list[str] | None = strawberry.UNSET
    parent_id: strawberry.ID | None = strawberry.UNSET
    recurrence: str | None = strawberry.UNSET


@strawberry.type(description="A task that was changed.")
class TaskPayload:
    """What a change of a task answers."""

    task: TaskNode


@strawberry.type(description="A task that was deleted.")
class DeletedTask:
    """What the deletion of a task answers."""

    deleted_id: strawberry.ID


@asynccontextmanager
async def _changing(context: Context) -> AsyncIterator[TaskService]:
    async with context.changing() as session:
        yield TaskService(TaskRepository(session, context.user_id), context.outbox)


def _payload(held: HeldTask) -> TaskPayload:
    return TaskPayload(task=TaskNode.of(TaskRead.of(held), held.task.version))


@strawberry.type
class TaskMutation:
    """The changes of tasks."""

    @field("Create a task.", needs=_WRITE)
    async def create_task(self, info: Info, input: CreateTaskInput) -> TaskPayload | None:  # noqa: A002 - Relay's name
        """As POST /tasks."""
        data = validated(TaskCreate, input, _IDS)
        async with _changing(info.context) as tasks:
            return _payload(await tasks.create(data))

    @field("Change the fields of a task that are sent.", needs=_WRITE)
    async def update_task(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - its name in GraphQL
        input: UpdateTaskInput,  # noqa: A002 - Relay's name
        if_match: IfMatch = None,
    ) -> TaskPayload | None:
        """As PATCH /tasks/{id}."""
        task_id, data = uuid_of(Kind.TASK, id), validated(TaskPatch, input, _IDS)
        async with _changing(info.context) as tasks:
            return _payload(await tasks.change(task_id, data, conditions(if_match)))

    @field("Complete a pending task or reopen a completed one; `completed` sets it.", needs=_WRITE)
    async def complete_task(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - its name in GraphQL
        completed: bool | None = None,
        if_match: IfMatch = None,
    ) -> TaskPayload | None:
        """As PATCH /tasks/{id}/complete."""
        task_id = uuid_of(Kind.TASK, id)
        async with _changing(info.context) as tasks:
            return _payload(await tasks.complete(task_id, completed, conditions(if_match)))

    @field("Delete a task; it can be restored unless `permanent`.", needs=_WRITE)
    async def delete_task(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - its name in GraphQL
        permanent: bool = False,
        if_match: IfMatch = None,
    ) -> DeletedTask | None:
        """As DELETE /tasks/{id}."""
        task_id = uuid_of(Kind.TASK, id)
        async with _changing(info.context) as tasks:
            await tasks.delete(task_id, conditions(if_match), permanent=permanent)
        return DeletedTask(deleted_id=global_id(Kind.TASK, task_id))

    @field("Bring a deleted task back.", needs=_WRITE)
    async def restore_task(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - its name in GraphQL
        if_match: IfMatch = None,
    ) -> TaskPayload | None:
        """As POST /tasks/{id}/restore."""
        task_id = uuid_of(Kind.TASK, id)
        async with _changing(info.context) as tasks:
            return _payload(await tasks.restore(task_id, conditions(if_match)))
