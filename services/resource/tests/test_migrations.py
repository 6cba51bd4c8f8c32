import asyncio

import pytest

from grove.testing.postgres import check_models, migrate_both_ways, tables

pytestmark = pytest.mark.integration


async def test_migrations_run_up_down_and_up_and_match_the_models(settings, resources):
    await asyncio.to_thread(migrate_both_ways, settings)
    assert {"tasks", "users", "outbox", "inbox", "idempotency_keys"} <= await tables(resources.engine)
    await asyncio.to_thread(check_models, settings)
