"""What a user asks for is looked for among their own rows: what all others have costs nothing."""

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.testing.plans import generic_plan, scans
from grove.web.sorting import parse_sort
from grove_resource.models import Base
from grove_resource.moments import data_filters
from grove_resource.moments import endpoints as moments
from grove_resource.tasks import endpoints as tasks

pytestmark = pytest.mark.integration
USERS, ROWS = 100, 200
TASKS = """INSERT INTO tasks (id, user_id, title, tags, created_at, updated_at)
SELECT uuidv7(), u, 'Plant a tree', '{home}', now() - n * interval '1 minute', now()
FROM unnest(CAST(:users AS uuid[])) u, generate_series(1, :rows) n"""
ACTIVITIES = """INSERT INTO activities (id, user_id, name, data_schema, created_at, updated_at)
SELECT uuidv7(), u, 'Run', '{}', now(), now() FROM unnest(CAST(:users AS uuid[])) u"""
MOMENTS = """INSERT INTO moments (id, user_id, activity_id, schema_version, occurred_at, data, created_at, updated_at)
SELECT uuidv7(), user_id, id, 1, now() - n * interval '1 minute', '{"mood": 4}', now(), now()
FROM activities, generate_series(1, :rows) n"""


@pytest.fixture
async def users(resources):
    users = [new_id() for _ in range(USERS)]
    async with resources.engine.begin() as connection:
        for statement in (TASKS, ACTIVITIES, MOMENTS):
            names = {"users": users, "rows": ROWS}
            used = {name: value for name, value in names.items() if f":{name}" in statement}
            await connection.execute(text(statement), used)
        for table in ("tasks", "moments"):
            await connection.execute(text(f"ANALYZE {table}"))
    return users


def test_no_index_has_what_all_users_have():
    """Among few rows a planner passes over such an index; among a million it reads a common value in all of them."""
    for table in Base.metadata.sorted_tables:
        for index in table.indexes:
            if index.dialect_options["postgresql"]["using"] == "gin":
                assert "user_id" in str(index.expressions[0]), index.name


@pytest.mark.parametrize(
    ("endpoints", "sort", "wanted"),
    [
        (tasks, "-created_at", lambda _: {"mine": None, "with_me": None, "not_deleted": None, "q": "plant"}),
        (tasks, "-created_at", lambda _: {"mine": None, "with_me": None, "not_deleted": None, "tag": ["home"]}),
        (moments, "-occurred_at", lambda user: data_filters.given([("data.mood", "4")], user)),
    ],
    ids=["a word", "a tag", "data"],
)
async def test_what_everybody_has(resources, users, endpoints, sort, wanted):
    user = users[7]
    values = {"user_id": user, **wanted(user)}
    listed = endpoints._TASKS if endpoints is tasks else endpoints._MOMENTS
    statement = listed._numbered(listed._names.intersection(values), parse_sort(sort, endpoints.ORDERS.names))
    arguments = statement.arguments({**values, "_size": 20, "_offset": 0})
    async with resources.reads._running(statement) as connection:
        _, total = await connection.fetchrow(statement.text, *arguments)
        plan = await generic_plan(connection, statement.text, arguments)
    assert total == ROWS
    read = list(scans(plan))
    assert len(read) > 2
    assert max(rows for _, rows in read) <= ROWS, read
