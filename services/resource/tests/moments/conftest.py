"""Making activities and moments."""

import pytest

from grove.core.ids import new_id

ACTIVITIES, MOMENTS = "/api/v1/activities", "/api/v1/moments"
MOOD = {
    "type": "object",
    "properties": {"mood": {"type": "integer", "minimum": 1, "maximum": 10}, "note": {"type": "string"}},
    "required": ["mood"],
}


@pytest.fixture
def me(issuer):
    return issuer.headers(new_id())


@pytest.fixture
def define(client, me):
    async def define(schema=None, headers=None, **fields):
        body = {"name": "Diary", "data_schema": schema or MOOD, **fields}
        answer = await client.post(ACTIVITIES, json=body, headers=headers or me)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return define


@pytest.fixture
def log(client, me):
    async def log(activity, data=None, occurred_at="2026-03-01T12:00:00Z", headers=None):
        body = {"activity_id": activity["id"], "occurred_at": occurred_at, "data": data or {"mood": 5}}
        answer = await client.post(MOMENTS, json=body, headers=headers or me)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return log
