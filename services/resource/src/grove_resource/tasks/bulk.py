"""Many operations on tasks in one request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeGuard
from uuid import UUID

from pydantic import Field

from grove.core.errors import GroveError
from grove.core.schema import Incoming
from grove.web.errors import ErrorBody
from grove.web.etag import Conditions
from grove_resource.tasks.access import HeldTask, Role
from grove_resource.tasks.repository import TaskRepository
from grove_resource.tasks.schemas import TaskCreate, TaskPatch, TaskRead
from grove_resource.tasks.service import TaskService

MOST = 100


class Create(Incoming):
    """Creates a task."""

    op: Literal["create"]
    data: TaskCreate


class Update(Incoming):
    """Changes the fields that are sent; with `if_match` only that version."""

    op: Literal["update"]
    id: UUID
    data: TaskPatch
    if_match: Annotated[str, Field(max_length=1000, description="Change only this version (its ETag)")] | None = None


class Complete(Incoming):
    """Toggles completion, or sets it."""

    op: Literal["complete"]
    id: UUID
    completed: bool | None = None


class Delete(Incoming):
    """Deletes a task."""

    op: Literal["delete"]
    id: UUID
    permanent: Annotated[bool, Field(description="Remove for good, subtasks included")] = False


class Restore(Incoming):
    """Brings a deleted task back."""

    op: Literal["restore"]
    id: UUID


Operation = Annotated[Create | Update | Complete | Delete | Restore, Field(discriminator="op")]
EXAMPLE = [{"op": "create", "data": {"title": "Buy oat milk", "tags": ["home"]}}]


class BulkRequest(Incoming):
    """What to do, in this order."""

    operations: Annotated[list[Operation], Field(min_length=1, max_length=MOST, examples=[EXAMPLE])]


@dataclass(slots=True, kw_only=True)
class BulkResult:
    """How an operation went. `task` as it is after it, `error` when it changed nothing."""

    op: Literal["create", "update", "complete", "delete", "restore"]
    id: UUID | None
    status: int
    task: TaskRead | None = None
    error: ErrorBody | None = None


@dataclass(slots=True)
class BulkResults:
    """One for each operation."""

    results: list[BulkResult]


class BulkService:
    """Runs operations as the acting user, each by the rules of its own route. Never commits.

    What they touch is locked before, in the order in which everybody locks it: the turn of who says what is below what,
    tasks by id, addresses that shares of completed ones wait for, then new tags by name.
    """

    def __init__(self, tasks: TaskRepository, service: TaskService) -> None:
        self._tasks = tasks
        self._service = service

    async def run(self, operations: Sequence[Operation]) -> list[BulkResult]:
        """How each went."""
        if any(map(_moves, operations)):
            await self._tasks.turn()
        held = await self._tasks.all_locked(_touched(operations), trees=_trees(operations))
        owners = {each.task.id: each.task.user_id for each in held if each.role is not Role.VIEWER}
        ended = {each.id for each in operations if _completes(each)}.intersection(owners)
        await self._tasks.hold_waiting([each for each in held if each.task.id in ended])
        words = {word for operation in operations for word in self._words(operation, owners)}
        new = await self._tasks.add_tags(words)
        results = [await self._attempt(operation) for operation in operations]
        done = zip(operations, results, strict=True)
        used = {word for each, result in done if result.error is None for word in self._words(each, owners)}
        await self._tasks.remove_tags([tag_id for word, tag_id in new.items() if word not in used])
        return results

    async def _attempt(self, operation: Operation) -> BulkResult:
        named = None if isinstance(operation, Create) else operation.id
        try:
            async with self._tasks.attempt():
                status, held = await self._apply(operation)
        except GroveError as error:
            body = ErrorBody(code=error.code, message=error.message, details=error.details)
            return BulkResult(op=operation.op, id=named, status=error.status, error=body)
        task = TaskRead.of(held) if held else None
        return BulkResult(op=operation.op, id=task.id if task else named, status=status, task=task)

    async def _apply(self, operation: Operation) -> tuple[int, HeldTask | None]:
        anything = Conditions(None, None)
        match operation:
            case Create(data=data):
                return 201, await self._service.create(data)
            case Update(id=task_id, data=data, if_match=if_match):
                return 200, await self._service.change(task_id, data, Conditions(if_match, None))
            case Complete(id=task_id, completed=completed):
                return 200, await self._service.complete(task_id, completed, anything)
            case Delete(id=task_id, permanent=permanent):
                await self._service.delete(task_id, anything, permanent=permanent)
                return 204, None
            case Restore(id=task_id):
                return 200, await self._service.restore(task_id, anything)

    def _words(self, operation: Operation, owners: dict[UUID, UUID]) -> set[tuple[UUID, str]]:
        """Tags that the operation names, with whose they would be."""
        if isinstance(operation, Create):
            return {(self._tasks.user_id, tag) for tag in operation.data.tags}
        if isinstance(operation, Update) and operation.id in owners:
            return {(owners[operation.id], tag) for tag in operation.data.tags}
        return set()


def _touched(operations: Sequence[Operation]) -> set[UUID]:
    """Ids of the tasks and of what they are to be below."""
    found: set[UUID | None] = {each.id for each in operations if not isinstance(each, Create)}
    found |= {each.data.parent_id for each in operations if isinstance(each, Create | Update)}
    return {task_id for task_id in found if task_id is not None}


def _trees(operations: Sequence[Operation]) -> set[UUID]:
    return {each.id for each in operations if isinstance(each, Delete | Restore)}


def _moves(operation: Operation) -> bool:
    """Whether it needs the turn (TaskRepository.turn)."""
    if isinstance(operation, Create | Update):
        return operation.data.parent_id is not None
    return isinstance(operation, Delete) and operation.permanent


def _completes(operation: Operation) -> TypeGuard[Update | Complete]:
    """Whether the next one of a recurring task can come of it."""
    if isinstance(operation, Update):
        return operation.data.completed
    return isinstance(operation, Complete) and operation.completed is not False
