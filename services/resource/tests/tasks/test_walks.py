"""A walk through a long list costs the same at its end as at its beginning: by the plan, not by the clock."""

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.web.sorting import parse_sort
from grove_resource.tasks import endpoints

pytestmark = pytest.mark.integration
MANY = """INSERT INTO tasks (id, user_id, title, created_at, updated_at)
SELECT uuidv7(), :user, 'T', now() - n * interval '1 second', now() FROM generate_series(1, 5000) n"""
PLACE = "SELECT id, created_at FROM tasks ORDER BY created_at {0}, id {0} OFFSET 4000 LIMIT 1"


@pytest.mark.parametrize(("sort", "direction"), [("-created_at", "DESC"), ("created_at", "ASC")])
async def test_a_deep_page_begins_at_its_place(resources, sort, direction):
    user = new_id()
    async with resources.engine.begin() as connection:
        await connection.execute(text(MANY), {"user": user})
        await connection.execute(text("ANALYZE tasks"))
        place = (await connection.execute(text(PLACE.format(direction)))).one()
    tasks = endpoints._TASKS
    given = {"user_id": user, "mine": None, "with_me": None, "not_deleted": None}
    keys = parse_sort(sort, endpoints.ORDERS.names)
    statement = tasks._walk(tasks._names.intersection(given), keys, begun=True)
    values = {**given, "_after0": place.created_at, "_after1": place.id, "_size": 20}
    async with resources.reads._running(statement) as connection:
        plan = await connection.fetch(f"EXPLAIN (ANALYZE) {statement.text}", *statement.arguments(values))
    lines = "\n".join(row[0] for row in plan)
    assert f"Index Cond: ((user_id = '{user}'::uuid) AND (ROW(created_at, id)" in lines, lines
    assert "Rows Removed by Filter" not in lines, lines
