"""Whom a fact is told to, and how they want it: read once per transaction and user."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import BindParameter, bindparam, exists, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from grove.service.erasure import ErasedUser, known_erased
from grove_notification.models import Preferences, User, Webhook
from grove_notification.preferences.rules import Choice
from grove_notification.texts import Texts, zone


@dataclass(frozen=True, slots=True)
class Recipient:
    """A user as far as they are known. A fact may come before auth's word of the account: then in English, and in UTC.

    `webhooks`: whether any of theirs is active.
    """

    user_id: UUID
    email: str | None
    locale: str
    timezone: str
    choice: Choice
    webhooks: bool

    @property
    def texts(self) -> Texts:
        """For wording in their language."""
        return Texts(self.locale, self.timezone)

    @property
    def zone(self) -> ZoneInfo:
        """Their clock's."""
        return zone(self.timezone)


_ID: BindParameter[UUID] = bindparam("user_id")
_one = select(literal(1).label("one")).subquery()
_RECIPIENT = (
    select(
        exists(select(ErasedUser.user_id).where(ErasedUser.user_id == _ID)).label("erased"),
        exists(select(Webhook.id).where(Webhook.user_id == _ID, Webhook.status == "active")).label("webhooks"),
        User.email,
        User.locale,
        User.timezone,
        Preferences.types,
        Preferences.quiet_start,
        Preferences.quiet_end,
        Preferences.digest,
        Preferences.digest_at,
    )
    .select_from(_one)
    .outerjoin(User, User.id == _ID)
    .outerjoin(Preferences, Preferences.user_id == _ID)
)


_HOLD_CHOICE = select(Preferences.user_id).where(Preferences.user_id == _ID).with_for_update(read=True, key_share=True)
_KNOWN = "recipients"
_SETTLED = "settled_choices"


async def recipient(session: AsyncSession, user_id: UUID) -> Recipient | None:
    """The user, or None when they were deleted: a late fact about them is passed over."""
    erased = known_erased(session)
    if erased.get(user_id):
        return None
    found: dict[UUID, Recipient] = session.info.setdefault(_KNOWN, {})
    if user_id not in found:
        row = (await (await session.connection()).execute(_RECIPIENT, {"user_id": user_id})).one()
        if erased.setdefault(user_id, row.erased):
            return None
        found[user_id] = _recipient(user_id, row)
    return found[user_id]


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


def _recipient(user_id: UUID, row: Any) -> Recipient:
    return Recipient(
        user_id=user_id,
        email=row.email,
        locale=row.locale or "en",
        timezone=row.timezone or "UTC",
        choice=Choice() if row.types is None else Choice.stored(row, row.types),
        webhooks=row.webhooks,
    )
