"""The rules of sharing."""

from collections.abc import Collection
from uuid import UUID

from grove.contracts.event import EventData
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.postgres import Outbox
from grove_resource.models import Share
from grove_resource.shares import events
from grove_resource.shares.errors import ShareNotFound, TooManyShares
from grove_resource.shares.repository import ShareRepository
from grove_resource.shares.schemas import ShareCreate
from grove_resource.tasks.access import Role
from grove_resource.tasks.errors import TaskDeleted, TaskNotOwned
from grove_resource.tasks.repository import TaskRepository

MOST = 50
"""Shares of a task."""


class ShareService:
    """Shares the acting user's tasks, and ends that. Never commits.

    Neither answers nor the time they take tell whether an address is known: all that is done for one that is, is
    done for every other as well.
    """

    def __init__(self, tasks: TaskRepository, shares: ShareRepository, outbox: Outbox) -> None:
        self._tasks = tasks
        self._shares = shares
        self._outbox = outbox

    async def share(self, task_id: UUID, data: ShareCreate) -> None:
        """Share the task with whoever has the address, now or once they verify it; again, to change their role.

        Raises TaskNotOwned, TaskDeleted, TooManyShares.
        """
        held = await self._tasks.locked(task_id)
        held.must_be_owned()
        if held.task.deleted_at is not None:
            raise TaskDeleted
        await self._shares.hold([data.email])
        found = await self._shares.find(task_id, data.email)
        if found.holder == held.task.user_id:
            return
        if found.share is None and found.shares >= MOST:
            raise TooManyShares(MOST)
        share = found.share or _new(task_id, data)
        user_id = share.user_id or found.holder
        if found.share is not None and (share.role, share.user_id) == (data.role, user_id):
            return
        if found.share is not None and user_id is not None:  # of one that waits nobody is told
            share.version += 1
        share.role, share.user_id, share.updated_at = data.role, user_id, now()
        await self._shares.release(task_id, user_id, share.email, share.updated_at)
        await self._shares.put(share)
        fact = events.shared(share, held.task)
        await self._tell(fact, share.version, really=user_id is not None)

    async def unshare(self, task_id: UUID, share_id: UUID | None) -> None:
        """End a share; without an id the acting user's own. Owners end any, others only theirs.

        Raises ShareNotFound, TaskNotOwned.
        """
        held = await self._tasks.locked(task_id)
        me = self._tasks.user_id
        share = await self._shares.locked(task_id, share_id=share_id, user_id=me)
        if held.role is not Role.OWNER and (share is None or share.user_id != me):
            raise TaskNotOwned
        if share is None:
            raise ShareNotFound
        share.version += 1
        share.updated_at = now()
        await self._shares.remove(share)
        fact = events.unshared(share, held.task)
        await self._tell(fact, share.version, really=share.user_id is not None)

    async def _tell(self, fact: EventData, sequence: int, *, really: bool) -> None:
        attempt = await self._shares.attempt()
        await self._outbox.add((fact, sequence))
        await (attempt.commit() if really else attempt.rollback())


class ShareBinding:
    """Gives shares that wait for an address to who has verified it."""

    def __init__(self, shares: ShareRepository, outbox: Outbox) -> None:
        self._shares = shares
        self._outbox = outbox

    async def settle(self, emails: Collection[str]) -> None:
        """The addresses are somebody's now, or somebody else's; each share is told of once."""
        await self._shares.hold(emails)
        moment = now()
        for email in sorted(emails):
            bound = await self._shares.bind(email, moment)
            await self._outbox.add(*((events.shared(share, task), share.version) for share, task in bound))


def _new(task_id: UUID, data: ShareCreate) -> Share:
    moment = now()
    return Share(
        id=new_id(),
        task_id=task_id,
        email=data.email,
        user_id=None,
        role=data.role,
        version=1,
        created_at=moment,
        updated_at=moment,
    )
