"""Names that are a timezone for us and an abbreviation, a fixed offset, for the database."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from sqlalchemy import text

pytestmark = pytest.mark.integration
ACTIVITIES = "/api/v1/activities"
YEAR = {"from": "2026-01-15T00:00:00Z", "to": "2026-12-15T00:00:00Z", "period": "month"}


@pytest.fixture
async def abbreviations(resources) -> list[str]:
    async with resources.engine.connect() as connection:
        known = set((await connection.scalars(text("SELECT abbrev FROM pg_timezone_abbrevs"))).all())
    return sorted(name for name in available_timezones() if name.upper() in known)


async def test_months_begin_in_summer_time_also_under_a_name_that_is_an_abbreviation(
    client, me, define, resources, abbreviations
):
    assert set(abbreviations) >= {"CET", "EET", "MET", "WET", "UTC"}
    activity = await define()
    url = f"{ACTIVITIES}/{activity['id']}/statistics"
    for name in abbreviations:
        wanted = [datetime(2026, month, 1, tzinfo=ZoneInfo(name)).astimezone(UTC) for month in range(1, 13)]
        asked = (await client.get(url, params=YEAR | {"timezone": name}, headers=me)).json()
        async with resources.engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO users (id, locale, timezone, sequence, updated_at) "
                    "SELECT user_id, 'en', :zone, 1, now() FROM activities WHERE id = :id "
                    "ON CONFLICT (id) DO UPDATE SET timezone = :zone"
                ),
                {"zone": name, "id": activity["id"]},
            )
        own = (await client.get(url, params=YEAR, headers=me)).json()
        for answer in (asked, own):
            assert answer["timezone"] == name
            assert [datetime.fromisoformat(bucket["start"]) for bucket in answer["buckets"]] == wanted, name
