"""What a claim goes through, by a plan for all values, while very many endpoints wait for later."""

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.postgres.reads import Statement
from grove.testing.plans import generic_plan, scans
from grove_notification.webhooks.deliveries import claiming, lateness, turns

pytestmark = pytest.mark.integration
ENDPOINTS, EACH, DUE = 20_000, 2, 5
WEBHOOKS = """INSERT INTO webhooks (id, user_id, url, event_types, description, signature, ordered, secrets, status,
  proven, due_at, tried_at, failing_since, version, created_at, updated_at)
SELECT uuidv7(), uuidv7(), 'https://example.com/', '[]', '', 'v1', n % 2 = 0, '', 'active', n > :due,
  now() + CASE WHEN n > :due THEN interval '5 hours' ELSE interval '-1 minute' END, now(), now(), 1, now(), now()
FROM generate_series(1, :endpoints) n"""
DELIVERIES = """INSERT INTO webhook_deliveries (id, webhook_id, user_id, event_id, message_id, event_type, body, status,
  attempts, next_attempt_at, created_at, finished_at)
SELECT uuidv7(), w.id, w.user_id, uuidv7(), uuidv7(), 'resource.task.created.v1', '{}',
  CASE WHEN n = 1 THEN 'pending' ELSE 'delivered' END, 1, CASE WHEN n = 1 THEN w.due_at END, now(),
  CASE WHEN n > 1 THEN now() END
FROM webhooks w, generate_series(1, :each) n"""


@pytest.fixture
async def waiting(resources) -> None:
    values = {"endpoints": ENDPOINTS, "each": EACH, "due": DUE}
    async with resources.engine.begin() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in (WEBHOOKS, DELIVERIES):
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            await connection.execute(text(statement), used)
    async with resources.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("SET statement_timeout = 0"))
        await alone.execute(text("VACUUM ANALYZE webhooks, webhook_deliveries"))
        await alone.execute(text("RESET statement_timeout"))


@pytest.fixture
def read(resources, waiting):
    """What each part of a plan goes through."""

    async def read(statement: Statement, **values: object) -> list[tuple[str, float]]:
        async with resources.reads._running(statement) as connection:
            await connection.execute("BEGIN READ WRITE")
            try:
                plan = await generic_plan(connection, statement.text, statement.arguments(values))
            finally:
                await connection.execute("ROLLBACK")
        found = list(scans(plan))
        assert any("webhooks" in index for index, _ in found), found
        return found

    return read


async def test_a_claim_goes_through_what_is_due(read, resources):
    async with resources.engine.connect() as connection:
        held = list((await connection.execute(text("SELECT id::text FROM webhooks WHERE due_at < now()"))).scalars())
    assert len(held) == DUE
    hold = {"most": 100, "cap": 4, "held_back": True, "seen": [str(new_id())]}
    take = {"webhooks": held, "most": 100, "cap": 4, "lease_seconds": 20.0}
    for statement, asked in (
        (Statement(claiming._HOLD), hold),
        (Statement(claiming._CLAIM), take),
        (Statement(turns._SETTLE), {"webhooks": held}),
        (lateness._LATE, {"cap": 4}),
    ):
        found = await read(statement, **asked)
        assert max(rows for _, rows in found) <= DUE, found
