"""Tasks in GraphQL."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import strawberry
from pydantic import TypeAdapter
from sqlalchemy import ARRAY, Uuid, any_, bindparam

from grove.postgres.reads import Statement
from grove.service.listing import List
from grove_resource.graphql.connections import FIRST, After, Connection, First, Sort, connection, wanted
from grove_resource.graphql.context import Context, Info
from grove_resource.graphql.fields import field
from grove_resource.graphql.nodes import Kind, Node, global_id, uuid_of
from grove_resource.models import Task
from grove_resource.tasks.access import IS_VISIBLE, Role
from grove_resource.tasks.listing import EITHER, FILTERS, ORDERS, Shared, TaskFilter
from grove_resource.tasks.repository import TASK_JSON, TaskQueries
from grove_resource.tasks.schemas import Priority, TaskRead, TaskStatus
from grove_resource.tasks.versions import task_etag

strawberry.enum(Priority, description="How much a task matters.")
strawberry.enum(Role, name="TaskRole", description="What you are to a task.")
strawberry.enum(TaskStatus, description="Which tasks a list shows.")
strawberry.enum(Shared, name="TaskShared", description="Whose tasks a list shows.")

_TASK = TypeAdapter(TaskRead)
_TASKS = List(item=TASK_JSON, filters=FILTERS, orders=ORDERS, either=EITHER)
_SUBTASKS = List(
    item=TASK_JSON,
    filters={"visible": IS_VISIBLE, "not_deleted": FILTERS["not_deleted"]},
    orders=ORDERS,
    below=Task.parent_id,
)
_BY_IDS = Statement(
    TASK_JSON.select(Task.version).where(Task.id == any_(bindparam("ids", type_=ARRAY(Uuid))), IS_VISIBLE)
)


@strawberry.type(name="Task", description="What you mean to do, or somebody who shares it with you.")
class TaskNode(Node):
    """A task."""

    uuid: UUID
    user_id: UUID
    title: str
    description: str
    completed: bool
    completed_at: datetime | None
    due_at: datetime | None
    priority: Priority
    tags: list[str]
    parent_id: UUID | None
    recurrence: str | None
    role: Role
    is_deleted: bool
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime
    etag: str = strawberry.field(description="The version: send it as `ifMatch`.")

    @field("The task above this one, if you may see it.", needs="tasks:read")
    async def parent(self, info: Info) -> "TaskNode | None":
        """By the request's loader."""
        if self.parent_id is None:
            return None
        return await info.context.loader("tasks", partial(_by_ids, info.context)).load(self.parent_id)

    @field("Its subtasks without deleted ones, newest first.", needs="tasks:read")
    async def subtasks(self, info: Info, first: First = FIRST, after: After = None) -> "Connection[TaskNode] | None":
        """By the request's loader, for all tasks that ask for the same page."""
        query = wanted(TaskFilter, first, after)
        key = ("subtasks", first, after)
        return await info.context.loader(key, partial(_subtasks, info.context, query)).load(self.uuid)

    @classmethod
    def of(cls, read: TaskRead, version: int) -> "TaskNode":
        """As REST shows it."""
        return cls(
            id=global_id(Kind.TASK, read.id),
            uuid=read.id,
            user_id=read.user_id,
            title=read.title,
            description=read.description,
            completed=read.completed,
            completed_at=read.completed_at,
            due_at=read.due_at,
            priority=read.priority,
            tags=read.tags,
            parent_id=read.parent_id,
            recurrence=read.recurrence,
            role=read.role,
            is_deleted=read.is_deleted,
            deleted_at=read.deleted_at,
            created_at=read.created_at,
            updated_at=read.updated_at,
            etag=task_etag(read.id, version, read.role),
        )

    @classmethod
    def of_json(cls, json: str, version: int) -> "TaskNode":
        """From JSON that PostgreSQL made."""
        return cls.of(_TASK.validate_json(json), version)


Tasks: TypeAlias = Connection[TaskNode]


async def task_by_id(context: Context, task_id: UUID) -> TaskNode:
    """One task. Raises TaskNotFound or TaskOfAnotherUser."""
    return TaskNode.of_json(*await TaskQueries(context.reads, context.user_id).get(task_id))


async def _by_ids(context: Context, ids: list[UUID]) -> Sequence[TaskNode | None]:
    rows = await context.reads.all(_BY_IDS, ids=ids, user_id=context.user_id)
    found = {task.uuid: task for task in (TaskNode.of_json(row[0], row[1]) for row in rows)}
    return [found.get(task_id) for task_id in ids]


async def _subtasks(context: Context, query: TaskFilter, parents: list[UUID]) -> Sequence[Tasks]:
    given: dict[str, Any] = {"visible": None, "not_deleted": None, "user_id": context.user_id}
    found = await _SUBTASKS.rows_below(context.reads, parents, query, given)
    return [connection(context, found[parent], query, TaskNode.of_json) for parent in parents]


@strawberry.type
class TaskQuery:
    """The queries about tasks."""

    @field("One task.", needs="tasks:read")
    async def task(self, info: Info, id: strawberry.ID) -> TaskNode | None:  # noqa: A002 - its name in GraphQL
        """One task."""
        return await task_by_id(info.context, uuid_of(Kind.TASK, id))

    @field(
        "Your tasks and those that others share with you, newest first unless `sort` says otherwise.",
        needs="tasks:read",
    )
    async def tasks(
        self,
        info: Info,
        first: First = FIRST,
        after: After = None,
        sort: Sort = None,
        status: TaskStatus = TaskStatus.ALL,
        include_deleted: bool = False,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
        due_after: datetime | None = None,
        due_before: datetime | None = None,
        tag: str | None = None,
        priority: Priority | None = None,
        shared: Shared | None = None,
        parent_id: strawberry.ID | None = None,
        q: str | None = None,
    ) -> Tasks | None:
        """A page of the list."""
        query = wanted(
            TaskFilter,
            first,
            after,
            sort=sort,
            status=status,
            include_deleted=include_deleted,
            date_from=date_from,
            date_to=date_to,
            due_after=due_after,
            due_before=due_before,
            tag=tag,
            priority=priority,
            shared=shared,
            parent_id=uuid_of(Kind.TASK, parent_id, "parentId") if parent_id is not None else None,
            q=q,
        )
        given = {"user_id": info.context.user_id, **query.given}
        found = await _TASKS.rows(info.context.reads, query, given)
        return connection(info.context, found, query, TaskNode.of_json)
