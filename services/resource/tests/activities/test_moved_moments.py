"""What is told of moments that are moved to another schema."""

import json

import pytest
from sqlalchemy import select

from grove.outbox.postgres import OutboxRow

pytestmark = pytest.mark.integration
ACTIVITIES, MOMENTS = "/api/v1/activities", "/api/v1/moments"
STRICT = {"type": "object", "properties": {"mood": {"type": "integer", "minimum": 6}}, "required": ["mood"]}


@pytest.fixture
def told(resources):
    async def told() -> list[tuple[list[str], int]]:
        """What changed, and the sequence, of each `resource.activity.updated` so far."""
        async with resources.sessions() as session:
            rows = await session.scalars(
                select(OutboxRow.body)
                .where(OutboxRow.type == "resource.activity.updated.v1")
                .order_by(OutboxRow.position)
            )
            bodies = [json.loads(row) for row in rows]
        return [(body["data"]["changed"], body["sequence"]) for body in bodies]

    return told


async def test_moments_that_move_alone_are_told_once_and_change_the_etag(client, me, define, log, told):
    activity = await define()
    await log(activity, {"mood": 8})
    url = f"{ACTIVITIES}/{activity['id']}"
    before = await client.patch(url, json={"data_schema": STRICT}, headers=me)
    assert await told() == [(["data_schema"], 2)]
    moved = await client.patch(f"{url}?revalidate=true", json={}, headers=me)
    assert moved.headers["etag"] != before.headers["etag"]
    assert moved.json()["updated_at"] > before.json()["updated_at"]
    assert moved.json() | {"updated_at": ""} == before.json() | {"updated_at": ""}
    read = await client.get(url, headers=me)
    assert (read.json(), read.headers["etag"]) == (moved.json(), moved.headers["etag"])
    assert await told() == [(["data_schema"], 2), (["moments"], 3)]
    again = await client.patch(f"{url}?revalidate=true", json={}, headers=me)
    assert again.headers["etag"] == moved.headers["etag"]
    assert len(await told()) == 2


async def test_moments_that_move_with_a_change_are_told_with_it(client, me, define, log, told):
    activity = await define()
    url = f"{ACTIVITIES}/{activity['id']}?revalidate=true"
    await client.patch(url, json={"data_schema": {"type": "object"}}, headers=me)
    await log(activity, {"mood": 8})
    await client.patch(url, json={"data_schema": STRICT, "name": "New"}, headers=me)
    await client.patch(url, json={"name": "Newer"}, headers=me)
    assert await told() == [(["data_schema"], 2), (["data_schema", "moments", "name"], 3), (["name"], 4)]
