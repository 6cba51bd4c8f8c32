"""Lists of deliveries read one endpoint's, and of those what is asked for, by a plan for all values."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.web.pagination import ListQuery
from grove.web.sorting import parse_sort
from grove_notification.webhooks.deliveries import endpoints
from grove_notification.webhooks.deliveries.listing import ORDERS, DeliveryFilter

pytestmark = pytest.mark.integration
OTHERS, EACH, MINE, FAILED, SIZE = 1000, 5, 3000, 7, 20
WEBHOOKS = """INSERT INTO webhooks (id, user_id, url, event_types, description, signature, ordered, secrets, status,
  proven, version, created_at, updated_at)
SELECT uuidv7(), uuidv7(), 'https://example.com/', '[]', '', 'v1', false, '', 'active', true, 1, now(), now()
FROM generate_series(1, :others)"""
DELIVERIES = """INSERT INTO webhook_deliveries (id, webhook_id, user_id, event_id, message_id, event_type, body, status,
  attempts, created_at, finished_at)
SELECT uuidv7(), w.id, w.user_id, uuidv7(), uuidv7(), 'resource.task.created.v1', '{}',
  CASE WHEN n <= :failed THEN 'failed' ELSE 'delivered' END, 1, now() - n * interval '1 minute', now()
FROM webhooks w, generate_series(1, :mine) n WHERE n <= CASE WHEN w.user_id = :ada THEN :mine ELSE :each END"""


def scans(node: dict) -> Iterator[tuple[str, float]]:
    """What each part of a plan that reads a table or an index went through."""
    if "Scan" in node["Node Type"] and node["Node Type"] not in {"Subquery Scan", "CTE Scan"}:
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        yield node.get("Index Name") or node["Relation Name"], (node["Actual Rows"] + removed) * node["Actual Loops"]
    for inner in node.get("Plans", ()):
        yield from scans(inner)


@pytest.fixture
async def webhook(resources, create, receiver, ada) -> dict:
    webhook = await create(receiver.url)
    values = {"others": OTHERS, "each": EACH, "mine": MINE, "failed": FAILED, "ada": ada}
    async with resources.engine.begin() as connection:
        for statement in (WEBHOOKS, DELIVERIES):
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            await connection.execute(text(statement), used)
    async with resources.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("VACUUM ANALYZE webhooks, webhook_deliveries"))
    return webhook


@pytest.fixture
def read(resources, webhook, ada):
    """The rows that an answer costs, at the most expensive part of its plan."""

    async def read(wanted: DeliveryFilter, *, walk: bool) -> float:
        listed, sort = endpoints._DELIVERIES, parse_sort(ListQuery().sort, ORDERS.names)
        values = {"user_id": ada, "webhook_id": webhook["id"], "mine": True, **wanted.given(ada)}
        names = listed._names.intersection(values)
        statement = listed._walk(names, sort, begun=False) if walk else listed._numbered(names, sort)
        arguments = statement.arguments({**values, "_size": SIZE, "_offset": 0})
        async with resources.reads._running(statement) as connection:
            await connection.execute(f"PREPARE asked AS {statement.text}")
            try:
                asked = ", ".join(f"'{value}'" for value in arguments)
                await connection.execute("SET plan_cache_mode = force_generic_plan")
                explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked ({asked})")
            finally:
                await connection.execute("RESET plan_cache_mode")
                await connection.execute("DEALLOCATE asked")
        found = list(scans(json.loads(explained)[0]["Plan"]))
        assert any("webhooks" in index for index, _ in found), found
        return max(rows for _, rows in found)

    return read


async def test_a_walk_reads_its_page(read):
    assert await read(DeliveryFilter(), walk=True) <= SIZE + 1


@pytest.mark.parametrize("walk", [True, False])
async def test_those_that_failed_are_found_without_the_others(read, walk):
    assert await read(DeliveryFilter(status="failed"), walk=walk) == FAILED


async def test_a_numbered_page_counts_its_endpoints_alone(read):
    assert await read(DeliveryFilter(), walk=False) == MINE


@pytest.mark.parametrize("walk", [True, False])
async def test_one_message_or_event_is_found_without_the_others(read, walk):
    for asked in ({"message_id": new_id()}, {"event_id": new_id()}):
        assert await read(DeliveryFilter(**asked), walk=walk) <= 1


async def test_another_users_token_reads_nothing(client, issuer, webhook):
    for query in ("", "?cursor=", "?status=failed"):
        path = f"/api/v1/webhooks/{webhook['id']}/deliveries{query}"
        assert (await client.get(path, headers=issuer.headers(new_id()))).status_code == 404
