"""Amounts are written the same by PostgreSQL and by Pydantic."""

from decimal import Decimal

import pytest
from pydantic import TypeAdapter
from sqlalchemy import Numeric, literal, select

from grove.postgres.reads import Statement
from grove_provider_sync.accounts.schemas import Money, money

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("amount", "written"),
    [("0", "0.00"), ("12.5", "12.50"), ("-3.1000", "-3.10"), ("100.125", "100.125"), ("1000000", "1000000.00")],
)
async def test_both_ways(resources, amount, written):
    statement = Statement(select(money(literal(Decimal(amount), Numeric(20, 4)))))
    assert await resources.reads.scalar(statement) == written
    assert TypeAdapter(Money).dump_json(Decimal(amount)) == f'"{written}"'.encode()
