"""The list of moments: filters by time, activity and data."""

from urllib.parse import quote

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.web.sorting import parse_sort
from grove_resource.moments import endpoints

pytestmark = pytest.mark.integration
MOMENTS = "/api/v1/moments"
SPAN = "occurred_from=2026-01-01T00:00:00Z&occurred_to=2027-01-01T00:00:00Z"


@pytest.fixture
def found(client, me):
    """The `n` of the data of each moment that a query finds."""

    async def found(query: str, headers=None) -> list:
        answer = await client.get(f"{MOMENTS}?{query}", headers=headers or me)
        assert answer.status_code == 200, answer.text
        return [item["data"].get("n") for item in answer.json()["items"]]

    return found


async def test_time_and_activity_filter_and_the_latest_comes_first(client, me, define, log, found):
    one, other = await define({"type": "object"}), await define({"type": "object"})
    for day in (2, 1, 3):
        await log(one, {"n": day}, f"2026-03-0{day}T00:00:00Z")
    await log(other, {"n": 4}, "2026-03-04T00:00:00Z")
    assert await found("") == [4, 3, 2, 1]
    assert await found(f"activity_id={one['id']}") == [3, 2, 1]
    assert await found("occurred_from=2026-03-01T00:00:00Z&occurred_to=2026-03-03T00:00:00Z") == [2, 1]
    assert await found("sort=created_at") == [2, 1, 3, 4]
    walked, cursor = [], ""
    while cursor is not None:
        part = (await client.get(MOMENTS, params={"cursor": cursor, "size": 3, "data.n": "3"}, headers=me)).json()
        walked += [item["data"]["n"] for item in part["items"]]
        cursor = part["next_cursor"]
    assert walked == [3]
    page = await client.get(f"{MOMENTS}?size=1&page=2&data.n.x=1", headers=me)
    assert page.json()["total"] == 0


async def test_values_match_as_scalar_and_as_text(define, log, found):
    activity = await define({"type": "object"})
    values = [5, "5", 5.0, True, "true", None, "null", "a b", '"a b"', [5], {"x": 5}, 0.1, 2**60, "üñ😀", ""]
    for n, value in enumerate(values):
        await log(activity, {"n": n, "v": value, "in": {"v": value}})
    for query, wanted in {
        "5": [0, 1, 2],
        "5.0": [0, 2],
        "true": [3, 4],
        "null": [5, 6],
        "a b": [7],
        '"a b"': [7, 8],
        "0.1": [11],
        "0.1000": [11],
        str(2**60): [12],
        str(2**60 + 1): [],
        "üñ😀": [13],
        "": [14],
        "NaN": [],
        "Infinity": [],
        "1e999": [],
        '"\\u0000"': [],
        '"\\ud800"': [],
    }.items():
        for path in ("v", "in.v"):
            assert sorted(await found(f"data.{path}={quote(query)}")) == wanted, query


async def test_ranges_compare_like_with_like(define, log, found):
    activity = await define({"type": "object"})
    for n, value in enumerate([5, 10, "5", "10", "2026-01-05", None, [7], {"x": 7}, 9.5]):
        await log(activity, {"n": n, "v": value})
    scope = f"activity_id={activity['id']}&{SPAN}"
    assert sorted(await found(f"{scope}&data.v.gte=9.5")) == [1, 8]
    assert sorted(await found(f"{scope}&data.v.gte=6&data.v.lte=9.9")) == [8]
    assert sorted(await found(f"{scope}&data.v.gte=2026-01-01&data.v.lte=2026-01-31")) == [4]
    assert sorted(await found(f"{scope}&data.v.lte=5")) == [0]
    assert sorted(await found(f"{scope}&data.v.x.gte=1&data.v.x=7")) == [7]


@pytest.mark.parametrize(
    "query",
    [
        "data.v.gte=5",
        f"data.v.gte=5&{SPAN}",
        f"data.v.lte=5&activity_id={new_id()}",
        f"data.v.lte=5&activity_id={new_id()}&occurred_from=2026-01-01T00:00:00Z",
        "data.=1",
        "data.a..b=1",
        "data.a.b.c.d.e.f=1",
        f"data.{'k' * 101}=1",
        f"data.k={'v' * 501}",
        "data.a=1&data.a=2",
        "&".join(f"data.k{i}=1" for i in range(6)),
        "data.a%00=1",
        "data.a=%00",
        "occurred_from=2026-01-01",
        "occurred_from=0001-01-01T00:00:00%2B14:00",
        "activity_id=x",
        "sort=data",
        "sort=updated_at",
        "cursor=bm9uc2Vuc2U",
    ],
)
async def test_bad_queries_are_a_422(client, me, query):
    answer = await client.get(f"{MOMENTS}?{query}", headers=me)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR"), answer.text


async def test_the_reference_names_the_filters_by_data(app):
    operation = app.openapi()["paths"][MOMENTS]["get"]
    names = [parameter["name"] for parameter in operation["parameters"]]
    assert names[-3:] == ["data.<path>", "data.<path>.gte", "data.<path>.lte"]
    assert {"activity_id", "occurred_from", "occurred_to", "size", "page", "cursor", "sort"} <= set(names)


async def test_equality_uses_the_index_on_data(resources):
    user, rows = new_id(), 20_000
    async with resources.engine.begin() as connection:
        activity = await connection.scalar(
            text(
                "INSERT INTO activities (id, user_id, name, data_schema, created_at, updated_at) "
                "VALUES (gen_random_uuid(), :user, 'x', '{}', now(), now()) RETURNING id"
            ),
            {"user": user},
        )
        await connection.execute(
            text(
                "INSERT INTO moments "
                "(id, user_id, activity_id, schema_version, occurred_at, data, created_at, updated_at) "
                "SELECT gen_random_uuid(), :user, :activity, 1, now() - n * interval '1 minute', "
                "jsonb_build_object('n', n, 'in', jsonb_build_object('n', n)), now(), now() "
                "FROM generate_series(1, :rows) n"
            ),
            {"user": user, "activity": activity, "rows": rows},
        )
        await connection.execute(text("ANALYZE moments"))
    filters = frozenset({"user_id", "equal_0"})
    statement = endpoints._MOMENTS._numbered(filters, parse_sort("-occurred_at", endpoints.ORDERS.names))
    values = {"user_id": user, "equal_0": ['{"in":{"n":777}}', '{"in":{"n":"777"}}'], "_size": 20, "_offset": 0}
    async with resources.reads._running(statement) as connection:
        explain = f"EXPLAIN (ANALYZE) {statement.text}"
        plan = [row[0] for row in await connection.fetch(explain, *statement.arguments(values))]
    assert any("Bitmap Index Scan on ix_moments_data" in line for line in plan), "\n".join(plan)
    _, total = await resources.reads.first(statement, **values)
    assert total == 1
