"""Tasks below one another."""

from uuid import UUID

from sqlalchemy import CTE, ColumnElement, literal, select

from grove_resource.models import Task

MAX_NESTING = 32
"""Levels."""


def below(roots: ColumnElement[bool]) -> CTE:
    """The tasks and what is below them, each once, however deep."""
    found = select(Task.id).where(roots).cte("below", recursive=True)
    return found.union(select(Task.id).where(Task.parent_id == found.c.id))


def above(task: ColumnElement[bool]) -> CTE:
    """A task and what is above it, each once."""
    line = (Task.id, Task.parent_id, Task.deleted_at)
    found = select(*line).where(task).cte("above", recursive=True)
    return found.union(select(*line).where(Task.id == found.c.parent_id))


def levels(root: UUID) -> CTE:
    """A task and what is below it, with the level that it is at, as far down as a task may be."""
    found = select(Task.id, literal(1).label("level")).where(Task.id == root).cte("levels", recursive=True)
    return found.union(
        select(Task.id, found.c.level + 1).where(Task.parent_id == found.c.id, found.c.level < MAX_NESTING)
    )
