"""What a user's choice means at a moment: channels of a type, quiet hours, when a digest is due."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from grove_notification.preferences.types import TYPES, Channels

Frequency = Literal["off", "hourly", "daily"]
DEFAULT_DIGEST_AT = time(8)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end` of the user's clock, over midnight when `end` is the earlier one."""

    start: time
    end: time

    def end_of(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours end that `moment` is in, always later than it; None outside of them."""
        clock = moment.astimezone(zone).time()
        begun, ended = clock >= self.start, clock >= self.end
        quiet = begun and not ended if self.start <= self.end else begun or not ended
        return next_time(moment, self.end, zone) if quiet else None


class Stored(Protocol):
    """A row of preferences, or one that has its columns."""

    quiet_start: time | None
    quiet_end: time | None
    digest: Any
    digest_at: time


@dataclass(frozen=True, slots=True)
class Choice:
    """What a user chose; without arguments, what holds for who never did."""

    types: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    digest: Frequency = "off"
    digest_at: time = DEFAULT_DIGEST_AT

    @classmethod
    def stored(cls, row: "Stored", types: Mapping[str, Mapping[str, bool]]) -> "Choice":
        """From the row of who chose. `types` apart: of one driver they come as text."""
        quiet = None
        if row.quiet_start is not None and row.quiet_end is not None:
            quiet = QuietHours(row.quiet_start, row.quiet_end)
        return cls(types=types, quiet_hours=quiet, digest=row.digest, digest_at=row.digest_at)

    def channels(self, type_name: str) -> Channels:
        """Where a type is told."""
        return replace(TYPES[type_name].default, **self.types.get(type_name, {}))

    @property
    def mailed_types(self) -> frozenset[str]:
        """The types that come by mail, of those that can be switched off."""
        optional = (each.name for each in TYPES.values() if not each.mailed_by_auth)
        return frozenset(name for name in optional if self.channels(name).email)

    def quiet_until(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours end that `moment` is in; None outside of them."""
        return self.quiet_hours.end_of(moment, zone) if self.quiet_hours else None

    def digest_due(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """When a digest that opens at `moment` is mailed, which is not in quiet hours; None without digests."""
        if self.digest == "off":
            return None
        due = moment + timedelta(hours=1) if self.digest == "hourly" else next_time(moment, self.digest_at, zone)
        return self.quiet_until(due, zone) or due


def next_time(moment: datetime, clock: time, zone: ZoneInfo) -> datetime:
    """The first time after `moment` that the zone's clocks show `clock`.

    Where clocks go back they may show it twice; a time that they skip is when it would have been.
    """
    today = moment.astimezone(zone).date()
    days = (today + timedelta(days=ahead) for ahead in (-1, 0, 1))  # yesterday comes again when clocks go back over it
    return min(shown for day in days for shown in _times(day, clock, zone) if shown > moment)


def _times(day: date, clock: time, zone: ZoneInfo) -> Iterator[datetime]:
    once, again = (datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1))
    yield once
    if again > once:  # what is skipped would be earlier by the clock after the change
        yield again
