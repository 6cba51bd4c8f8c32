"""Switching mails off by a link, without signing in."""

from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.service.erasure import is_erased
from grove_notification.preferences.repository import PreferencesRepository
from grove_notification.preferences.types import TYPES
from grove_notification.unsubscribing.links import Unsubscribing

_OPTIONAL = [each.name for each in TYPES.values() if not each.mailed_by_auth]


async def unsubscribe(session: AsyncSession, wanted: Unsubscribing) -> None:
    """No more mails of a type, or of any that can be switched off: so for digests, which have all of them.

    What waits to be sent is dropped. Doing it again changes nothing.
    """
    if await is_erased(session, wanted.user_id):
        return
    off = [name for name in _OPTIONAL if wanted.notification_type in {None, name}]
    preferences = PreferencesRepository(session, wanted.user_id)
    row = await preferences.locked()
    types = {name: dict(channels) for name, channels in row.types.items()}
    for name in off:
        types.setdefault(name, {}).pop("email", None)
        if TYPES[name].default.email:
            types[name]["email"] = False
    types = {name: channels for name, channels in types.items() if channels}
    if types != row.types:
        row.types = types
        row.version += 1
        row.updated_at = now()
    await preferences.drop_mails(off, digests=wanted.notification_type is None)
