"""A walk through a long list costs the same at its end as at its beginning: by the plan, not by the clock."""

import re

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.postgres.reads import Statement
from grove.web.sorting import parse_sort
from grove_resource.tasks import endpoints, locks

pytestmark = pytest.mark.integration
MANY = """INSERT INTO tasks (id, user_id, title, created_at, updated_at, due_at)
SELECT uuidv7(), :user, 'T', now() - n * interval '1 second', now(),
       CASE WHEN n % 3 > 0 THEN now() + n * interval '1 minute' END FROM generate_series(1, 5000) n"""
PLACE = "SELECT id, {1} AS key FROM tasks ORDER BY 2 {0}, id {0} OFFSET {2} LIMIT 1"
DUE = "COALESCE(due_at, '9999-12-31 00:00:00+00'::timestamp with time zone)"
WITHIN = "SELECT due_at, due_at + interval '1 hour' FROM tasks WHERE due_at IS NOT NULL ORDER BY 1 OFFSET 3000 LIMIT 1"


@pytest.fixture
async def user(resources):
    """Somebody with many tasks, a third of them without a due date."""
    user = new_id()
    async with resources.engine.begin() as connection:
        await connection.execute(text(MANY), {"user": user})
        await connection.execute(text("ANALYZE tasks"))
    return user


@pytest.fixture
def plan(resources):
    async def plan(statement, values) -> str:
        async with resources.reads._running(statement) as connection:
            rows = await connection.fetch(f"EXPLAIN (ANALYZE) {statement.text}", *statement.arguments(values))
        return "\n".join(row[0] for row in rows)

    return plan


async def test_a_tree_is_locked_without_a_look_at_other_tasks(resources, user):
    async with resources.engine.connect() as connection:
        task_id = await connection.scalar(text("SELECT id FROM tasks LIMIT 1"))
    for held in (locks._HELD, locks._HELD_TREES):
        statement = Statement(held)
        values = {"user_id": user, "ids": [task_id], "trees": [task_id]}
        async with resources.reads._running(statement) as connection:
            rows = await connection.fetch(f"EXPLAIN {statement.text}", *statement.arguments(values))
        lines = "\n".join(row[0] for row in rows)
        assert re.search(r"Index Scan using pk_tasks on tasks  .*\n +Index Cond: \(id = ", lines), lines


@pytest.mark.parametrize(
    ("sort", "direction", "key", "behind"),
    [
        ("-created_at", "DESC", "created_at", 4000),
        ("created_at", "ASC", "created_at", 4000),
        ("due_at", "ASC", DUE, 3000),
        ("-due_at", "DESC", DUE, 3000),
        ("due_at", "ASC", DUE, 4000),
    ],
)
async def test_a_deep_page_begins_at_its_place(resources, user, plan, sort, direction, key, behind):
    async with resources.engine.connect() as connection:
        place = (await connection.execute(text(PLACE.format(direction, key, behind)))).one()
    tasks = endpoints._TASKS
    given = {"user_id": user, "mine": None, "with_me": None, "not_deleted": None}
    keys = parse_sort(sort, endpoints.ORDERS.names)
    statement = tasks._walk(tasks._names.intersection(given), keys, begun=True)
    lines = await plan(statement, {**given, "_after0": place.key, "_after1": place.id, "_size": 20})
    assert f"Index Cond: ((user_id = '{user}'::uuid) AND (ROW({key}, id)" in lines, lines
    assert "Rows Removed by Filter" not in lines, lines


async def test_what_is_due_within_a_time_is_read_from_there_to_there(resources, user, plan):
    async with resources.engine.connect() as connection:
        due_after, due_before = (await connection.execute(text(WITHIN))).one()
    tasks = endpoints._TASKS
    given = {"user_id": user, "mine": None, "due_after": due_after, "due_before": due_before}
    statement = tasks._walk(tasks._names.intersection(given), parse_sort("due_at", endpoints.ORDERS.names), begun=False)
    lines = await plan(statement, {**given, "_size": 20})
    bounds = [line for line in lines.splitlines() if "Index Cond" in line and line.count(DUE) == 2]
    assert bounds, lines
    assert "ix_tasks_user_due" in lines, lines
    assert "Rows Removed by Filter" not in lines, lines
