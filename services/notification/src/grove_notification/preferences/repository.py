"""Queries on preferences, and on what waits because of them."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.postgres.reads import Reads, Statement
from grove_notification.models import Digest, Mail, Notification, Preferences, User
from grove_notification.preferences.rules import Choice

_one = select(literal(1).label("one")).subquery()
_GET = Statement(
    select(
        Preferences.types,
        Preferences.quiet_start,
        Preferences.quiet_end,
        Preferences.digest,
        Preferences.digest_at,
        Preferences.version,
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

    async def get(self) -> tuple[Choice, int, str]:
        """What the user chose, its version (0: never chose), and their time zone."""
        row = await self._reads.first(_GET, user_id=self._user_id)
        if row is None or row.version is None:
            return Choice(), 0, (row.timezone if row else None) or "UTC"
        return Choice.stored(row, json.loads(row.types)), row.version, row.timezone or "UTC"


class PreferencesRepository:
    """The user's row for change, in a transaction, and what waits because of it."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self.user_id = user_id

    async def locked(self) -> Preferences:
        """The row, locked until the transaction ends; made with the defaults, as version 0, where there is none."""
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

    async def timezone(self) -> str:
        """The user's, UTC when auth has not told it yet."""
        return await self._session.scalar(select(User.timezone).where(User.id == self.user_id)) or "UTC"

    async def hold_until(self, moment: datetime) -> None:
        """What waits for the end of quiet hours waits until `moment`."""
        held = select(Notification.id).where(Notification.user_id == self.user_id, Notification.held_until.is_not(None))
        await self._session.execute(
            update(Notification).where(Notification.id.in_(_free(held))).values(held_until=moment)
        )
        queued = _queued(self.user_id)
        await self._session.execute(update(Mail).where(Mail.id.in_(_free(queued))).values(due_at=moment))

    async def mail_digests(self, moment: datetime) -> None:
        """Open digests are mailed at `moment`."""
        await self._session.execute(update(Digest).where(Digest.user_id == self.user_id).values(due_at=moment))

    async def drop_mails(self, types: list[str]) -> None:
        """Mails of these types that were not sent yet never are."""
        unwanted = _queued(self.user_id).where(Mail.notification_type.in_(types))
        await self._session.execute(
            update(Mail)
            .where(Mail.id.in_(_free(unwanted)))
            .values(status="suppressed", sealed=None, last_error="its reader switched mails of this type off")
        )


def _queued(user_id: UUID) -> Select[UUID]:
    """Mails that were not tried yet and could wait."""
    return select(Mail.id).where(
        Mail.user_id == user_id, Mail.status == "queued", Mail.kind == "notice", Mail.attempts == 0
    )


def _free(rows: Select[UUID]) -> Any:
    """Those that no worker has in hand: it may hold a mail as long as a server takes."""
    return rows.with_for_update(skip_locked=True)
