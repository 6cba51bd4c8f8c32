"""Moving all moments to another schema."""

import asyncio

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.testing.postgres import outbox_types
from grove_resource.activities import revalidation

pytestmark = pytest.mark.integration
ACTIVITIES, MOMENTS = "/api/v1/activities", "/api/v1/moments"
STRICT = {"type": "object", "properties": {"mood": {"type": "integer", "minimum": 6}}, "required": ["mood"]}


@pytest.fixture
def fill(resources):
    async def fill(activity, rows: int, moods: int = 1) -> None:
        """Moments whose moods are 10, 9 … in turn, so many of them."""
        async with resources.engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO moments (id, user_id, activity_id, schema_version, occurred_at, data, created_at, "
                    "updated_at) SELECT gen_random_uuid(), user_id, id, 1, now() - n * interval '1 minute', "
                    "jsonb_build_object('mood', 10 - n % :moods), now(), now() "
                    "FROM activities, generate_series(1, :rows) n WHERE id = :id"
                ),
                {"rows": rows, "moods": moods, "id": activity["id"]},
            )

    return fill


@pytest.fixture
def versions(resources):
    async def versions() -> dict[int, int]:
        """Schema version → how many moments."""
        async with resources.engine.connect() as connection:
            rows = await connection.execute(text("SELECT schema_version, count(*) FROM moments GROUP BY 1"))
            return dict(rows.all())

    return versions


async def test_moments_that_do_not_fit_are_told_and_nothing_changes(client, me, define, log, resources, versions):
    activity = await define()
    good, bad = await log(activity, {"mood": 8}), await log(activity, {"mood": 5})
    url = f"{ACTIVITIES}/{activity['id']}"
    before = await outbox_types(resources.engine)
    refused = await client.patch(f"{url}?revalidate=true", json={"data_schema": STRICT, "name": "New"}, headers=me)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (409, "CONFLICT")
    assert error["message"].startswith("1 moment ")
    assert [(d["moment_id"], d["pointer"]) for d in error["details"]] == [(bad["id"], "/mood")]
    assert "minimum" in error["details"][0]["message"]
    assert (await client.get(url, headers=me)).json() == activity
    assert await versions() == {1: 2}
    assert await outbox_types(resources.engine) == before
    assert (await client.get(f"{url}/versions", headers=me)).json()["total"] == 1

    tag = (await client.get(f"{MOMENTS}/{good['id']}", headers=me)).headers["etag"]
    await client.patch(f"{MOMENTS}/{bad['id']}", json={"data": {"mood": 6}}, headers=me)
    whole = {"name": "New", "description": "", "data_schema": STRICT}
    moved = await client.put(f"{url}?revalidate=true", json=whole, headers=me)
    assert (moved.status_code, moved.json()["version"]) == (200, 2)
    assert await versions() == {2: 2}
    read = await client.get(f"{MOMENTS}/{good['id']}", headers=me)
    assert (read.json()["schema_version"], read.headers["etag"] != tag) == (2, True)
    refused = await client.patch(f"{MOMENTS}/{good['id']}", json={"data": {"mood": 5}}, headers=me)
    assert refused.status_code == 422


async def test_old_moments_can_be_moved_later(client, me, define, log, versions):
    activity = await define()
    await log(activity, {"mood": 8})
    url = f"{ACTIVITIES}/{activity['id']}"
    await client.patch(url, json={"data_schema": STRICT}, headers=me)
    assert await versions() == {1: 1}
    assert (await client.patch(f"{url}?revalidate=true", json={}, headers=me)).json()["version"] == 2
    assert await versions() == {2: 1}


async def test_a_hundred_are_told_and_how_many_there_are(client, me, define, fill, versions):
    activity = await define()
    await fill(activity, 1000, moods=10)
    url = f"{ACTIVITIES}/{activity['id']}?revalidate=true"
    refused = await client.patch(url, json={"data_schema": STRICT}, headers=me)
    assert refused.json()["error"]["message"].startswith("500 moments ")
    assert len({detail["moment_id"] for detail in refused.json()["error"]["details"]}) == 100
    assert await versions() == {1: 1000}


async def test_the_loop_stays_free_while_many_are_checked(client, me, define, fill, versions):
    activity = await define()
    await fill(activity, 20_000)
    late: list[float] = []

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            await asyncio.sleep(0.001)
            late.append(loop.time() - asked)

    ticking = asyncio.create_task(tick())
    url = f"{ACTIVITIES}/{activity['id']}?revalidate=true"
    answer = await client.patch(url, json={"data_schema": STRICT}, headers=me)
    ticking.cancel()
    assert answer.status_code == 200, answer.text
    assert await versions() == {2: 20_000}
    assert max(late) < 0.25
    assert sorted(late)[len(late) // 2] < 0.02


async def test_more_than_can_be_checked_is_a_422(client, me, define, fill, versions, monkeypatch):
    monkeypatch.setattr(revalidation, "MAX_MOMENTS", 50)
    activity = await define()
    await fill(activity, 51)
    url = f"{ACTIVITIES}/{activity['id']}"
    refused = await client.patch(f"{url}?revalidate=true", json={"data_schema": STRICT}, headers=me)
    assert refused.status_code == 422
    assert "too many moments" in refused.json()["error"]["message"]
    assert (await client.get(url, headers=me)).json() == activity
    assert await versions() == {1: 51}


async def test_no_moment_slips_in_under_the_old_schema(client, me, define, fill, log, resources):
    """Writers go on all the time; at the end each moment satisfies the schema that it says it does."""
    activity = await define()
    await fill(activity, 300)
    mine = [await log(activity, {"mood": 8}) for _ in range(5)]
    other = await define({"type": "object"})
    stray = [await log(other, {"mood": 8}) for _ in range(5)]
    done = asyncio.Event()
    statuses: set[int] = set()

    async def keep(method: str, path: str, body: dict) -> None:
        while not done.is_set():
            statuses.add((await client.request(method, path, json=body, headers=me)).status_code)

    new = {"activity_id": activity["id"], "occurred_at": "2026-03-01T12:00:00Z", "data": {"mood": 3}}
    writers = [asyncio.create_task(keep("POST", MOMENTS, new | {"data": {"mood": mood}})) for mood in (8, 3)]
    writers += [
        asyncio.create_task(keep("PATCH", f"{MOMENTS}/{moment['id']}", {"data": {"mood": mood}}))
        for moment, mood in zip(mine, (3, 8, 4, 9, 5), strict=True)
    ]
    writers += [
        asyncio.create_task(
            keep("PATCH", f"{MOMENTS}/{moment['id']}", {"activity_id": activity["id"], "data": {"mood": mood}})
        )
        for moment, mood in zip(stray, (3, 8, 4, 9, 5), strict=True)
    ]
    url = f"{ACTIVITIES}/{activity['id']}?revalidate=true"
    outcomes = set()
    try:
        for minimum in (4, 5, 6, 1, 7, 2, 3, 1):
            schema = {"type": "object", "properties": {"mood": {"minimum": minimum}}}
            outcomes.add((await client.patch(url, json={"data_schema": schema}, headers=me)).status_code)
    finally:
        done.set()
        await asyncio.gather(*writers)
    assert outcomes <= {200, 409}
    assert statuses <= {200, 201, 422}
    async with resources.engine.connect() as connection:
        wrong = await connection.scalar(
            text(
                "SELECT count(*) FROM moments m JOIN activity_versions v "
                "ON v.activity_id = m.activity_id AND v.version = m.schema_version "
                "WHERE (m.data ->> 'mood')::int < (v.data_schema #>> '{properties,mood,minimum}')::int"
            )
        )
        unknown = await connection.scalar(
            text(
                "SELECT count(*) FROM moments m LEFT JOIN activity_versions v "
                "ON v.activity_id = m.activity_id AND v.version = m.schema_version WHERE v.version IS NULL"
            )
        )
    assert (wrong, unknown) == (0, 0)


async def test_a_moment_that_was_checked_can_not_change_before_it_is_moved(
    client, me, define, log, resources, monkeypatch
):
    activity = await define()
    moment = await log(activity, {"mood": 8})
    read, go_on, failing = asyncio.Event(), asyncio.Event(), resources.data_checks.failing

    async def slowly(*args, **kwargs):
        read.set()
        await go_on.wait()
        return await failing(*args, **kwargs)

    monkeypatch.setattr(resources.data_checks, "failing", slowly)
    url = f"{ACTIVITIES}/{activity['id']}?revalidate=true"
    moving = asyncio.create_task(client.patch(url, json={"data_schema": STRICT}, headers=me))
    await read.wait()
    changing = asyncio.create_task(client.patch(f"{MOMENTS}/{moment['id']}", json={"data": {"mood": 3}}, headers=me))
    async with resources.engine.connect() as connection, asyncio.timeout(10):
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not changing.done() and not await connection.scalar(waiting):
            await asyncio.sleep(0.02)
    go_on.set()
    assert ((await moving).status_code, (await changing).status_code) == (200, 422)
    assert (await client.get(f"{MOMENTS}/{moment['id']}", headers=me)).json()["data"] == {"mood": 8}


async def test_a_new_moment_waits_for_a_change_of_the_schema(client, me, define, resources):
    activity = await define()
    async with resources.engine.connect() as connection:
        await connection.execute(
            text("SELECT 1 FROM activities WHERE id = :id FOR NO KEY UPDATE"), {"id": activity["id"]}
        )
        body = {"activity_id": activity["id"], "occurred_at": "2026-03-01T12:00:00Z", "data": {"mood": 3}}
        waiting = asyncio.create_task(client.post(MOMENTS, json=body, headers=me))
        await asyncio.wait({waiting}, timeout=0.3)
        assert not waiting.done()
        await connection.execute(
            text("UPDATE activities SET schema_version = 2, data_schema = :schema WHERE id = :id"),
            {"id": activity["id"], "schema": '{"type": "object", "required": ["place"]}'},
        )
        await connection.commit()
    refused = await waiting
    assert (refused.status_code, refused.json()["error"]["details"][0]["type"]) == (422, "required")


async def test_another_users_activity_is_not_revalidated(client, define, issuer):
    url = f"{ACTIVITIES}/{(await define())['id']}?revalidate=true"
    assert (await client.patch(url, json={}, headers=issuer.headers(new_id()))).status_code == 404
