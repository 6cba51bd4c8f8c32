"""How long others ask us to wait."""

from datetime import UTC, datetime, timedelta

import pytest

from grove.web.retry_after import retry_after

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("120", timedelta(minutes=2)),
        (" 120 ", timedelta(minutes=2)),
        ("0", timedelta(0)),
        ("Wed, 01 Jul 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Wed, 01 Jul 2026 12:05:00 -0000", timedelta(minutes=5)),
        ("999999999999999999999", timedelta(hours=24)),
        ("Wed, 01 Jul 2099 12:05:00 GMT", timedelta(hours=24)),
        ("Wed, 01 Jul 2020 12:00:00 GMT", timedelta(days=-2191)),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("Wed, 99 Jul 2026 12:05:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, wanted):
    assert retry_after(header, NOW) == (None if wanted is None else NOW + wanted)
