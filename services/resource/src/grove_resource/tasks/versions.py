"""ETags of tasks. What a task looks like depends on who asks in nothing but their role, which a tag names therefore."""

from uuid import UUID

from grove.core.errors import PreconditionFailed
from grove.web.etag import Conditions, etag
from grove_resource.tasks.access import HeldTask, Role


def task_etag(task_id: UUID, version: int, role: str) -> str:
    """The tag of a version as somebody in that role gets it. The owner's is the plain one, which `task.changed` has."""
    plain = etag(task_id, version)
    return plain if role == Role.OWNER else f'{plain[:-1]}-{role}"'


def etag_of(held: HeldTask) -> str:
    """The tag of a task as the acting user has it."""
    return task_etag(held.task.id, held.task.version, held.role)


def require(conditions: Conditions, held: HeldTask) -> None:
    """Raises PreconditionFailed unless `If-Match` allows this version, by the acting user's tag or the plain one."""
    try:
        conditions.require(etag(held.task.id, held.task.version))
    except PreconditionFailed:
        conditions.require(etag_of(held))
