"""Reading on the bare driver."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from pydantic import BaseModel
from sqlalchemy import Integer, bindparam, literal, select
from structlog.testing import capture_logs

from grove.core.ids import new_id
from grove.outbox.postgres import InboxRow
from grove.postgres.engine import STORE_ERRORS
from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement

pytestmark = pytest.mark.integration
NUMBER = Statement(select(bindparam("number", type_=Integer), literal(2).label("two")))


@pytest.fixture
async def reads(engine, settings):
    reads = Reads(settings)
    yield reads
    await reads.aclose()


async def test_values_go_in_by_name_and_columns_come_out_as_attributes(reads):
    row = await reads.first(NUMBER, number=7)
    assert (row[0], row.two) == (7, 2)
    assert await reads.scalar(NUMBER, number=8) == 8
    assert [list(row) for row in await reads.all(NUMBER, number=9)] == [[9, 2]]
    with pytest.raises(KeyError, match="number"):
        await reads.all(NUMBER)
    with pytest.raises(AttributeError, match="three"):
        _ = row.three


async def test_a_read_can_not_write(reads):
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await reads.all(Statement("DELETE FROM outbox"))


async def test_more_reads_than_connections_wait_for_each_other(engine, settings):
    reads = Reads(settings.model_copy(update={"database_pool_size": 2}))
    assert await asyncio.gather(*(reads.scalar(NUMBER, number=n) for n in range(30))) == list(range(30))
    await reads.aclose()


async def test_who_waits_too_long_for_a_connection_is_told_that_the_store_is_away(engine, settings, monkeypatch):
    reads = Reads(settings.model_copy(update={"database_pool_size": 1}))
    async with reads._running(NUMBER):
        monkeypatch.setattr("grove.postgres.reads.ACQUIRE_SECONDS", 0.1)
        with pytest.raises(STORE_ERRORS):
            await reads.scalar(NUMBER, number=1)
    await reads.aclose()


async def test_connections_that_the_database_closed_cost_no_read(reads, settings):
    async with reads._running(NUMBER) as held:
        pid, driver = held.get_server_pid(), held._con
    other = Reads(settings)
    await other.scalar(Statement("SELECT pg_terminate_backend(:pid)"), pid=pid)
    await other.aclose()
    async with asyncio.timeout(60):
        while not driver.is_closed():
            await asyncio.sleep(0.01)
    assert await reads.scalar(NUMBER, number=1) == 1


async def test_a_slow_statement_is_logged(engine, settings):
    reads = Reads(settings.model_copy(update={"slow_query_ms": 50}))
    with capture_logs() as logs:
        await reads.scalar(Statement("SELECT pg_sleep(0.1)"))
    assert [entry["event"] for entry in logs] == ["database.slow_statement"]
    await reads.aclose()


def test_a_json_row_has_its_models_fields():
    class Applied(BaseModel):
        event_id: UUID
        applied_at: datetime

    with pytest.raises(TypeError, match="Applied has the fields"):
        JsonRow(InboxRow, Applied, {"event_id": InboxRow.event_id})


@pytest.mark.parametrize("microsecond", [0, 1, 120000])
async def test_moments_are_written_as_pydantic_writes_them(reads, sessions, microsecond):
    class Applied(BaseModel):
        event_id: UUID
        applied_at: datetime

    applied = Applied(event_id=new_id(), applied_at=datetime(2026, 1, 2, 3, 4, 5, microsecond, tzinfo=UTC))
    async with sessions.begin() as session:
        session.add(InboxRow(**applied.model_dump()))
    row = JsonRow(InboxRow, Applied, {"event_id": InboxRow.event_id, "applied_at": InboxRow.applied_at})
    [found] = await reads.all(Statement(row.select(InboxRow.event_id)))
    assert (found[0], found[1]) == (applied.model_dump_json(), applied.event_id)
