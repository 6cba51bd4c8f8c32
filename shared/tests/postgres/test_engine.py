"""Which errors of the database pass by themselves, and which are our own."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from grove.postgres.engine import STORE_ERRORS, is_lost, is_unavailable
from grove.postgres.reads import Reads, Statement

pytestmark = pytest.mark.integration


async def failure(engine, statement: str, **values) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught:
        async with engine.begin() as connection:
            await connection.execute(text(statement), values)
    return caught.value


@pytest.mark.parametrize(
    ("statement", "values", "lost", "unavailable"),
    [
        ("SELECT 1/0", {}, False, False),
        ("SELECT CAST(:n AS smallint)", {"n": 1 << 40}, False, False),
        ("SELECT CAST(:text AS text)", {"text": "a\0b"}, False, False),
        ("SELECT pg_terminate_backend(pg_backend_pid())", {}, True, True),
    ],
)
async def test_what_is_the_databases_fault(engine, statement, values, lost, unavailable):
    error = await failure(engine, statement, **values)
    assert (is_lost(error), is_unavailable(error)) == (lost, unavailable)


async def test_a_statement_that_took_too_long_may_be_tried_again_and_is_no_lost_database(engine, settings):
    async with engine.connect() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 1"))
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text("SELECT pg_sleep(60)"))
    assert (is_lost(caught.value), is_unavailable(caught.value)) == (False, True)
    reads = Reads(settings.model_copy(update={"database_statement_timeout_ms": 1}))
    try:
        with pytest.raises(STORE_ERRORS) as read:
            await reads.scalar(Statement("SELECT pg_sleep(60)"))
    finally:
        await reads.aclose()
    assert (is_lost(read.value), is_unavailable(read.value)) == (False, True)


async def test_two_in_a_circle_may_try_again(engine):
    async def hold(first: int, second: int, both: asyncio.Barrier) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": first})
            await both.wait()
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": second})

    both = asyncio.Barrier(2)
    done = await asyncio.gather(hold(71, 72, both), hold(72, 71, both), return_exceptions=True)
    (error,) = [found for found in done if found is not None]
    assert not is_lost(error)
    assert is_unavailable(error)


async def test_a_value_that_a_column_can_not_hold_is_no_lost_database(settings):
    reads = Reads(settings)
    try:
        with pytest.raises(asyncpg.DataError) as caught:
            await reads.scalar(Statement("SELECT CAST(:n AS integer)"), n="no number")
        assert not is_unavailable(caught.value)
        assert await reads.scalar(Statement("SELECT CAST(:n AS integer)"), n=1) == 1
    finally:
        await reads.aclose()


async def test_an_error_names_no_values(engine):
    said = str(await failure(engine, "SELECT 1 / (length(:name) - 3)", name="Ada"))
    assert "division by zero" in said
    assert "Ada" not in said
