"""Mailing digests: one that is due becomes one mail and is gone, in one transaction.

Who joins a digest holds its row until they commit (opening.py): it is passed over meanwhile. Who comes while it is
being mailed waits for its row to be gone, and opens the next one.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove_notification.mails.queue import Letter, MailQueue
from grove_notification.models import Digest, DigestItem
from grove_notification.users.recipients import recipient

LOOK_SECONDS = 5.0
MOST_ITEMS = 50
"""Items that a mail shows; it says how many more there are."""


class DigestMailing:
    """Runs in every worker: what one has in hand the others pass over."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], mails: MailQueue) -> None:
        self._sessions = sessions
        self._mails = mails

    async def run(self) -> None:
        """Mail digests until cancelled."""
        await every(LOOK_SECONDS, self.mail_due, away=STORE_ERRORS)

    async def mail_due(self) -> None:
        """Queue the mails of all digests that are due."""
        while await self.mail_one():
            continue

    async def mail_one(self) -> bool:
        """Queue the mail of one due digest; False when none is due, or others have all of them in hand."""
        async with self._sessions.begin() as session:
            digest = await _claim(session, now())
            if digest is None:
                return False
            letter = await _letter(session, digest)
            if letter is not None:
                await self._mails.add(session, letter)
            await session.execute(
                delete(Digest).where(Digest.user_id == digest.user_id, Digest.key == digest.key)  # and its items
            )
        await self._mails.wake()
        return True


async def _claim(session: AsyncSession, moment: datetime) -> Digest | None:
    return await session.scalar(
        select(Digest).where(Digest.due_at <= moment).order_by(Digest.due_at).limit(1).with_for_update(skip_locked=True)
    )


async def _letter(session: AsyncSession, digest: Digest) -> Letter | None:
    """The mail; None for a user who is gone, or without anything to tell that they want by mail."""
    user = await recipient(session, digest.user_id)
    if user is None:
        return None
    of_digest: tuple[ColumnElement[bool], ...] = (
        DigestItem.user_id == digest.user_id,
        DigestItem.key == digest.key,
        DigestItem.type.in_(user.choice.mailed_types),
    )
    total = await session.scalar(select(func.count()).select_from(DigestItem).where(*of_digest)) or 0
    items = (
        await session.scalars(select(DigestItem).where(*of_digest).order_by(DigestItem.id).limit(MOST_ITEMS))
    ).all()
    if not items:
        return None
    return Letter(
        template="digest",
        to=user.email,
        user_id=user.user_id,
        locale=user.locale,
        variables={
            "items": [_shown(item) for item in items],
            "more": total - len(items),
        },
    )


def _shown(item: DigestItem) -> dict[str, str | None]:
    """`type`: by which it is left out if its reader switches that off before the mail is sent."""
    return {"type": item.type, "title": item.title, "message": item.message, "link": item.link}
