"""Where a walk through accounts and dates stands: Schwab has no cursor, so ours holds what is left to read."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from grove_provider_sync.providers.interface import CursorRefused

WINDOW_DAYS = 60
"""The most that Schwab takes in one question."""
LOOK_BACK_DAYS = 30
"""Later walks read so many days again: what was changed or taken back there is noticed."""


class Span(NamedTuple):
    """Days of an account that are left to read, `end` not among them."""

    account_id: str
    start: date
    end: date


class Walk(BaseModel):
    """`left`: what is still to be read. `known`: accounts whose history is read with it, up to before `until`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    left: tuple[Span, ...]
    known: tuple[str, ...]
    until: date

    @property
    def over(self) -> bool:
        """Nothing is left."""
        return not self.left

    def next_window(self) -> Span:
        """What to read next."""
        account_id, start, end = self.left[0]
        return Span(account_id, start, min(end, start + timedelta(days=WINDOW_DAYS)))

    def without(self, window: Span) -> "Walk":
        """What is left when the window was read."""
        account_id, _, end = self.left[0]
        rest = (Span(account_id, window.end, end),) if window.end < end else ()
        return self.model_copy(update={"left": (*rest, *self.left[1:])})

    def without_account(self, account_id: str) -> "Walk":
        """What is left when an account is not there: should it come again, its whole history is read."""
        left = tuple(span for span in self.left if span.account_id != account_id)
        known = tuple(each for each in self.known if each != account_id)
        return self.model_copy(update={"left": left, "known": known})

    def written(self) -> str:
        """As a cursor."""
        return self.model_dump_json()


def read(cursor: str) -> Walk:
    """The walk of a cursor. Raises CursorRefused for one that is none of ours."""
    try:
        return Walk.model_validate_json(cursor)
    except ValidationError:
        raise CursorRefused from None


def begun(accounts: Sequence[str], before: Walk | None, today: date, history_days: int) -> Walk:
    """A new walk: the whole history of accounts that are new, of the others what may have changed since `before`."""
    tomorrow, first = today + timedelta(days=1), today - timedelta(days=history_days)
    known = set(before.known) if before else set()
    again = max(first, min(before.until, tomorrow) - timedelta(days=LOOK_BACK_DAYS)) if before else first
    spans = tuple(Span(each, again if each in known else first, tomorrow) for each in accounts)
    return Walk(left=spans, known=tuple(accounts), until=tomorrow)
