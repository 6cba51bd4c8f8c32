"""Changing preferences."""

from grove.core.clock import now
from grove.web.etag import Conditions, content_etag
from grove_notification.models import Preferences
from grove_notification.preferences.repository import PreferencesRepository
from grove_notification.preferences.rules import Choice
from grove_notification.preferences.schemas import PreferencesRead, PreferencesReplace
from grove_notification.preferences.types import TYPES
from grove_notification.texts import zone


class PreferencesService:
    """Replaces the acting user's preferences; what waits because of the old ones follows the new. Never commits."""

    def __init__(self, preferences: PreferencesRepository) -> None:
        self._preferences = preferences

    async def replace(self, data: PreferencesReplace, conditions: Conditions) -> PreferencesRead:
        """All of them, as they are from now on. Raises Invalid for another time zone than the user's."""
        row = await self._preferences.locked()
        timezone = await self._preferences.timezone()
        before, wanted = Choice.stored(row, row.types), data.choice
        conditions.require(content_etag(PreferencesRead.of(before, timezone).model_dump_json()))
        data.require_timezone(timezone)
        if row.version == 0 or before != wanted:
            _set(row, wanted)
            await self._apply(before, wanted, timezone)
        return PreferencesRead.of(wanted, timezone)

    async def _apply(self, before: Choice, wanted: Choice, timezone: str) -> None:
        moment, clock = now(), zone(timezone)
        off = [name for name in TYPES if before.channels(name).email and not wanted.channels(name).email]
        if off:
            await self._preferences.drop_mails(off)
        if wanted.quiet_hours != before.quiet_hours:
            held = before.quiet_until(moment, clock)
            await self._preferences.hold_until(wanted.quiet_until(moment, clock) or moment, before=held)
        chosen_anew = (wanted.digest, wanted.digest_at) != (before.digest, before.digest_at)
        if chosen_anew or wanted.quiet_hours != before.quiet_hours:
            opened_now = wanted.digest_due(moment, clock) or moment
            for digest in await self._preferences.open_digests():
                as_it_was = wanted.quiet_until(digest.due_at, clock) or digest.due_at
                digest.due_at = opened_now if chosen_anew else min(as_it_was, opened_now)


async def follow_clock(preferences: PreferencesRepository, *, before: str, after: str) -> None:
    """The user's time zone was another one: what waits for a time of their clock waits for that of the new one."""
    row = await preferences.found()
    if row is None:
        return
    choice, moment, clock = Choice.stored(row, row.types), now(), zone(after)
    if choice.quiet_hours is not None:
        held = choice.quiet_until(moment, zone(before))
        await preferences.hold_until(choice.quiet_until(moment, clock) or moment, before=held)
    if choice.digest == "daily":
        for digest in await preferences.open_digests():
            digest.due_at = choice.digest_due(moment, clock) or moment


def _set(row: Preferences, wanted: Choice) -> None:
    row.types = {name: dict(channels) for name, channels in wanted.types.items()}
    row.quiet_start = wanted.quiet_hours.start if wanted.quiet_hours else None
    row.quiet_end = wanted.quiet_hours.end if wanted.quiet_hours else None
    row.digest, row.digest_at = wanted.digest, wanted.digest_at
    row.version += 1
    row.updated_at = now()
