"""Share → contract event."""

from typing import Any

from grove.contracts.resource import TaskShared, TaskUnshared
from grove_resource.models import Share, Task


def shared(share: Share, task: Task) -> TaskShared:
    """A task is shared with somebody, or their role is another one."""
    return TaskShared(**_of(share, task), role=share.role, shared_at=share.updated_at)


def unshared(share: Share, task: Task) -> TaskUnshared:
    """A task is no longer shared with somebody."""
    return TaskUnshared(**_of(share, task), unshared_at=share.updated_at)


def _of(share: Share, task: Task) -> dict[str, Any]:
    return {
        "share_id": share.id,
        "task_id": task.id,
        "user_id": task.user_id,
        "with_user_id": share.user_id or task.user_id,  # a share that waits is told to nobody
        "title": task.title,
    }
