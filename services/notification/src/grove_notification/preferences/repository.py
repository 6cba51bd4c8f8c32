"""Queries on preferences, and on what waits because of them."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.postgres.reads import Reads, Statement
from grove_notification.mails.repository import waiting_notices
from grove_notification.models import Digest, DigestItem, Mail, Notification, Preferences, User
from grove_notification.preferences.rules import Choice

UNWANTED = "its reader switched mails of this type off"

_one = select(literal(1).label("one")).subquery()
_GET = Statement(
    select(
        Preferences.types,
        Preferences.quiet_start,
        Preferences.quiet_end,
        Preferences.digest,
        Preferences.digest_at,
        User.timezone,
    )
    .select_from(_one)
    .outerjoin(User, User.id == bindparam("user_id"))
    .outerjoin(Preferences, Preferences.user_id == bindparam("user_id"))
)


class PreferencesQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self) -> tuple[Choice, str]:
        """What the user chose, and their time zone."""
        row = await self._reads.first(_GET, user_id=self._user_id)
        if row is None or row.types is None:
            return Choice(), (row.timezone if row else None) or "UTC"
        return Choice.stored(row, json.loads(row.types)), row.timezone or "UTC"


class PreferencesRepository:
    """The user's row for change, in a transaction, and what waits because of it."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self.user_id = user_id

    async def locked(self) -> Preferences:
        """The row, locked until the transaction ends; made with the defaults, as version 0, where there is none.

        What waits because of it is locked after it, and digests before their items.
        """
        default = Choice()
        made = insert(Preferences).values(
            user_id=self.user_id,
            types={},
            digest=default.digest,
            digest_at=default.digest_at,
            version=0,
            updated_at=now(),
        )
        await self._session.execute(made.on_conflict_do_nothing())
        return (
            await self._session.scalars(
                select(Preferences).where(Preferences.user_id == self.user_id).with_for_update()
            )
        ).one()

    async def found(self) -> Preferences | None:
        """The row, locked; None for who never chose."""
        return await self._session.scalar(
            select(Preferences).where(Preferences.user_id == self.user_id).with_for_update()
        )

    async def timezone(self) -> str:
        """The user's, UTC when auth has not told it yet."""
        return await self._session.scalar(select(User.timezone).where(User.id == self.user_id)) or "UTC"

    async def hold_until(self, moment: datetime, *, before: datetime | None) -> None:
        """What waits for the end of quiet hours waits until `moment`. `before`: until when it would have. A mail that
        was tried waits for that end only if it is due then, else for its next try.
        """
        held = (
            select(Notification.id)
            .where(Notification.user_id == self.user_id, Notification.held_until.is_not(None))
            .with_for_update(skip_locked=True)  # the others are being released
        )
        await self._session.execute(update(Notification).where(Notification.id.in_(held)).values(held_until=moment))
        held_mails = or_(Mail.attempts == 0, Mail.due_at == before)
        await self._session.execute(
            update(Mail).where(*waiting_notices(self.user_id), held_mails).values(due_at=moment)
        )

    async def open_digests(self) -> Sequence[Digest]:
        """Those that were not mailed yet, locked: nobody joins or mails them meanwhile."""
        mine = select(Digest).where(Digest.user_id == self.user_id).order_by(Digest.key)
        return (await self._session.scalars(mine.with_for_update())).all()

    async def drop_mails(self, types: Collection[str], *, digests: bool = False) -> None:
        """What waits to be mailed of these types never is, however often it was tried: mails, and items of the open
        digest, which goes when it is empty. `digests`: mails of digests go too.

        A mail that a sender has in hand may arrive still; it is not tried again.
        """
        await self.open_digests()
        of_types = Mail.notification_type.in_(types)
        unwanted = or_(of_types, Mail.notification_type.is_(None)) if digests else of_types
        await self._session.execute(
            update(Mail)
            .where(*waiting_notices(self.user_id), unwanted)
            .values(status="suppressed", sealed=None, last_error=UNWANTED)
        )
        mine = DigestItem.user_id == self.user_id
        await self._session.execute(delete(DigestItem).where(mine, DigestItem.type.in_(types)))
        items = exists().where(DigestItem.user_id == Digest.user_id, DigestItem.key == Digest.key)
        await self._session.execute(delete(Digest).where(Digest.user_id == self.user_id, ~items))
