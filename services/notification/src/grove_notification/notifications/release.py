"""The end of quiet hours: live frames that waited for it are sent, unless they were read or their type was switched off
meanwhile.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove_notification.live import stream
from grove_notification.live.push import LivePush
from grove_notification.models import Notification
from grove_notification.notifications.tell import frame_of
from grove_notification.users.recipients import Recipient, recipients

BATCH = 100
LOOK_SECONDS = 1.0


class Release:
    """Runs in every worker: what one holds the others pass over, and when it dies they find it again."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], push: LivePush) -> None:
        self._sessions = sessions
        self._push = push

    async def run(self) -> None:
        """Release until cancelled."""
        await every(LOOK_SECONDS, self.release_due, away=STORE_ERRORS)

    async def release_due(self) -> None:
        """Release all that are due."""
        while await self.release_batch():
            continue

    async def release_batch(self) -> int:
        """Release up to BATCH in one transaction. How many were due."""
        async with self._sessions.begin() as session:
            due = (
                await session.scalars(
                    select(Notification)
                    .where(Notification.held_until <= now())
                    .order_by(Notification.held_until, Notification.id)
                    .limit(BATCH)
                    .with_for_update(skip_locked=True)
                )
            ).all()
            told = await recipients(session, {notification.user_id for notification in due})
            wanted = [each for each in due if each.read_at is None and _wanted(each, told.get(each.user_id))]
            frames = [stream.collect(session, frame_of(notification)) for notification in wanted]
            for notification in due:
                notification.held_until = None
            await stream.write(session)
        await self._push.send(*frames)
        return len(due)


def _wanted(notification: Notification, to: Recipient | None) -> bool:
    """By what its reader chose since; nothing is for who was deleted."""
    return to is not None and to.choice.channels(notification.type).in_app
