"""Whom a fact is told to, and how they want it: read once per transaction and user."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, Uuid, bindparam, exists, false, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from grove.service.erasure import ErasedUser, known_erased
from grove_notification.models import Preferences, User, Webhook
from grove_notification.preferences.rules import Choice
from grove_notification.texts import Texts, zone


@dataclass(frozen=True, slots=True)
class Recipient:
    """A user as far as they are known. A fact may come before auth's word of the account: then in English, and in UTC.

    `webhooks`: whether any of theirs is active. `blocked`: by an administrator; only the list in the app is written.
    """

    user_id: UUID
    email: str | None
    locale: str
    timezone: str
    choice: Choice
    webhooks: bool
    blocked: bool

    @property
    def texts(self) -> Texts:
        """For wording in their language."""
        return Texts(self.locale, self.timezone)

    @property
    def zone(self) -> ZoneInfo:
        """Their clock's."""
        return zone(self.timezone)


_asked = func.unnest(bindparam("users", type_=ARRAY(Uuid))).table_valued("user_id", name="asked").render_derived()
_ID = _asked.c.user_id
_RECIPIENTS = (
    select(
        _ID,
        exists(select(ErasedUser.user_id).where(ErasedUser.user_id == _ID)).label("erased"),
        exists(select(Webhook.id).where(Webhook.user_id == _ID, Webhook.status == "active")).label("webhooks"),
        func.coalesce(User.blocked, false()).label("blocked"),
        User.email,
        User.locale,
        User.timezone,
        Preferences.types,
        Preferences.quiet_start,
        Preferences.quiet_end,
        Preferences.digest,
        Preferences.digest_at,
    )
    .select_from(_asked)
    .outerjoin(User, User.id == _ID)
    .outerjoin(Preferences, Preferences.user_id == _ID)
)


_HOLD_CHOICE = (
    select(Preferences.user_id)
    .where(Preferences.user_id == bindparam("user_id"))
    .with_for_update(read=True, key_share=True)
)
_KNOWN = "recipients"
_SETTLED = "settled_choices"


async def recipient(session: AsyncSession, user_id: UUID) -> Recipient | None:
    """The user, or None when they were deleted: a late fact about them is passed over."""
    return (await recipients(session, {user_id})).get(user_id)


async def recipients(session: AsyncSession, users: Collection[UUID]) -> dict[UUID, Recipient]:
    """Those of the users who were not deleted, in one statement."""
    erased = known_erased(session)
    found: dict[UUID, Recipient] = session.info.setdefault(_KNOWN, {})
    unknown = [user_id for user_id in users if user_id not in found and not erased.get(user_id)]
    if unknown:
        for row in await (await session.connection()).execute(_RECIPIENTS, {"users": unknown}):
            if not erased.setdefault(row.user_id, row.erased):
                found[row.user_id] = _recipient(row)
    return {user_id: found[user_id] for user_id in users if user_id in found and not erased[user_id]}


async def settled(session: AsyncSession, user_id: UUID) -> Recipient | None:
    """The user with a choice that stays as it is until this transaction ends.

    For what is made to wait because of it: a new choice waits for the commit, and then finds that.
    """
    known: set[UUID] = session.info.setdefault(_SETTLED, set())
    if user_id not in known:
        connection = await session.connection()
        await connection.execute(_HOLD_CHOICE, {"user_id": user_id})
        known.add(user_id)
        forget(session, user_id)
    return await recipient(session, user_id)


def forget(session: AsyncSession, user_id: UUID) -> None:
    """What is known of the user has changed in this transaction."""
    session.info.get(_KNOWN, {}).pop(user_id, None)


def _recipient(row: Any) -> Recipient:
    return Recipient(
        user_id=row.user_id,
        email=row.email,
        locale=row.locale or "en",
        timezone=row.timezone or "UTC",
        choice=Choice() if row.types is None else Choice.stored(row, row.types),
        webhooks=row.webhooks,
        blocked=row.blocked,
    )
