"""A task that lost or changed a word → contract event."""

from typing import Any

from grove.contracts.resource import TaskUpdated


def retagged(task: Any) -> tuple[TaskUpdated, int]:
    """A task's tags changed with the tag itself: nobody needs to be told of each. `task`: a row of the repository."""
    fact = TaskUpdated(
        task_id=task.id,
        user_id=task.user_id,
        title=task.title,
        participants=task.participants,
        changed=["tags"],
        updated_at=task.updated_at,
        quiet=True,
    )
    return fact, task.version
