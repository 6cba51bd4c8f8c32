"""Amounts are written the same by PostgreSQL and by Pydantic, exactly, and with two decimals at least."""

from decimal import Decimal

import pytest
from pydantic import TypeAdapter
from sqlalchemy import Numeric, literal, null, select
from sqlalchemy import cast as sql_cast

from grove.postgres.reads import Statement
from grove_provider_sync.accounts.schemas import Money, money

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0", "0.00"),
        ("-0", "0.00"),
        ("12.5", "12.50"),
        ("-3.1000", "-3.10"),
        ("100.125", "100.125"),
        ("0.0001", "0.0001"),
        ("-0.0100", "-0.01"),
        ("1000000", "1000000.00"),
        ("9999999999999999.9999", "9999999999999999.9999"),
        ("-9999999999999999", "-9999999999999999.00"),
    ],
)
async def test_both_ways(resources, amount, written):
    stored = sql_cast(literal(Decimal(amount), Numeric(20, 4)), Numeric(20, 4))
    read, text = await resources.reads.first(Statement(select(stored, money(stored))))
    assert text == written
    assert TypeAdapter(Money).dump_json(read) == f'"{written}"'.encode()
    assert Decimal(written) == Decimal(amount)


async def test_what_is_not_known_is_null(resources):
    assert await resources.reads.scalar(Statement(select(money(sql_cast(null(), Numeric(20, 4)))))) is None
