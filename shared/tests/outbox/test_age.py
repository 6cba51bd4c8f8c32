"""The age of the outbox, as a scrape sees it."""

import math
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import update

from grove.contracts.auth import UserUpdated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.observability.health import Health, ops_app
from grove.outbox.age import OutboxAge
from grove.outbox.postgres import Outbox, OutboxRow, PostgresOutboxStore

pytestmark = pytest.mark.integration


async def scraped(outbox) -> float:
    """What `/metrics` says, though nobody asked for readiness."""
    app = ops_app(Health(degrading={"outbox": OutboxAge(outbox).check}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://ops") as client:
        lines = (await client.get("/metrics")).text.splitlines()
    [line] = [line for line in lines if line.startswith("grove_outbox_oldest_seconds ")]
    return float(line.split()[1])


async def test_a_scrape_sees_the_age_of_now(engine, sessions):
    outbox = PostgresOutboxStore(engine)
    assert await scraped(outbox) == 0
    async with sessions.begin() as session:
        await Outbox(session, "auth").add(
            (UserUpdated(user_id=new_id(), locale="de", timezone="UTC", roles=["user"]), 1)
        )
        assert await OutboxAge(outbox).check() is None
    async with sessions.begin() as session:
        await session.execute(update(OutboxRow).values(created_at=now() - timedelta(seconds=100)))
    assert 100 <= await scraped(outbox) < 200
    assert "waited 10" in await OutboxAge(outbox).check()


async def test_while_the_store_is_away_the_age_is_unknown():
    class Away:
        async def oldest_age(self) -> float:
            raise ConnectionError("away")

    assert math.isnan(await scraped(Away()))
