"""The activities used last, as JSON whatever they hold."""

import pytest

pytestmark = pytest.mark.integration
RECENT = "/api/v1/activities/recent"


@pytest.mark.parametrize("gap", ["\u2028", "\u2029", "\u0085", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\n"])
async def test_what_reads_as_the_end_of_a_line_in_a_schema_breaks_no_item(client, me, define, log, gap):
    activities = [await define({"type": "object", "description": f"a{gap}b"}, name=name) for name in ("one", "two")]
    for number, activity in enumerate(activities):
        await log(activity, occurred_at=f"2026-03-0{2 - number}T12:00:00Z")
    for _ in range(2):  # from the database, and from what was kept
        answer = await client.get(f"{RECENT}?size=1", headers=me)
        assert [item["activity"] for item in answer.json()["items"]] == activities[:1]
    assert [item["activity"] for item in (await client.get(RECENT, headers=me)).json()["items"]] == activities
