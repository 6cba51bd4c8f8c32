"""The Retry-After header of others' answers (RFC 9110 section 10.2.3)."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER = timedelta(hours=24)


def retry_after(header: str | None, moment: datetime) -> datetime | None:
    """The time that a Retry-After asks for, seconds or a date, up to a day from `moment`; None: it asks for none."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return moment + min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER)
    try:
        wanted = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    if wanted.tzinfo is None:
        wanted = wanted.replace(tzinfo=UTC)
    return min(wanted, moment + MAX_RETRY_AFTER)
