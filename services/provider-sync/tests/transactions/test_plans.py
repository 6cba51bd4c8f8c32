"""What a user asks for is looked for among their own bookings, and a page of many reads no more than itself."""

from datetime import date

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.testing.plans import generic_plan, scans
from grove.web.sorting import parse_sort
from grove_provider_sync.transactions.listing import ORDERS, TRANSACTIONS, AllTransactionsFilter

pytestmark = pytest.mark.integration
USERS, ROWS, SIZE = 40, 600, 20
CONNECTIONS = """INSERT INTO connections (id, user_id, provider, status, status_detail, created_at)
SELECT u, u, 'sandbox', 'active', '', now() FROM unnest(CAST(:users AS uuid[])) u"""
ACCOUNTS = """INSERT INTO accounts (id, user_id, connection_id, provider_id, name, type, currency, updated_at)
SELECT CASE n WHEN 1 THEN u ELSE uuidv7() END, u, u, n, 'Everyday', 'checking', 'EUR', now()
FROM unnest(CAST(:users AS uuid[])) u, generate_series(1, 2) n"""
TRANSACTIONS_OF_ALL = """INSERT INTO transactions (id, user_id, connection_id, account_id, provider_id, payload_hash,
  amount, currency, description, category, status, booked_at, updated_at)
SELECT uuidv7(), a.user_id, a.connection_id, a.id, a.provider_id || '-' || n, '', n, 'EUR', 'Tram', 'transport',
  'posted', DATE '2026-11-30' - n, now()
FROM accounts a, generate_series(1, CAST(:rows AS int) / 2) n"""
OF_USER, OF_ACCOUNT = "ix_transactions_user_booked", "ix_transactions_account_booked"


@pytest.fixture
async def users(resources):
    users = [new_id() for _ in range(USERS)]
    async with resources.engine.begin() as connection:
        for statement in (CONNECTIONS, ACCOUNTS, TRANSACTIONS_OF_ALL):
            values = {"users": users, "rows": ROWS}
            await connection.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})
        for table in ("connections", "accounts", "transactions"):
            await connection.execute(text(f"ANALYZE {table}"))
    return users


async def read(resources, user, *, walk: bool, begun: bool = False, sort: str = "-booked_at", **query) -> list:
    """What the statement of such a request goes through."""
    given = AllTransactionsFilter(**query).of(user)
    names, order = TRANSACTIONS._names.intersection(given), parse_sort(sort, ORDERS.names)
    statement = TRANSACTIONS._walk(names, order, begun=begun) if walk else TRANSACTIONS._numbered(names, order)
    place = {"_after0": date(2026, 9, 1), "_after1": new_id()} if begun else {}
    arguments = statement.arguments({**given, **place, "_size": SIZE, "_offset": 0})
    async with resources.reads._running(statement) as connection:
        plan = await generic_plan(connection, statement.text, arguments)
    return [(name, rows) for name, rows in scans(plan) if "transactions" in name]


async def test_a_walk_reads_its_page_and_a_range_of_days_is_a_range_of_the_index(resources, users):
    user = users[7]
    for begun in (False, True):
        assert await read(resources, user, walk=True, begun=begun) == [(OF_USER, SIZE + 1)]
        assert await read(resources, user, walk=True, begun=begun, account=user) == [(OF_ACCOUNT, SIZE + 1)]
    days = {"date_from": "2026-11-20", "date_to": "2026-11-22"}
    for walk in (True, False):
        for index, rows in await read(resources, user, walk=walk, **days):
            assert (index in {OF_USER, "transactions"}, rows) == (True, 4)


async def test_what_everybody_has_is_read_of_one_user(resources, users):
    for query, sort in (
        ({}, "-booked_at"),
        ({}, "amount"),
        ({}, "-updated_at"),
        ({"category": "transport"}, "-booked_at"),
        ({"currency": "EUR", "status": "posted"}, "-booked_at"),
        ({"amount_from": "0"}, "-booked_at"),
        ({"q": "tram"}, "-booked_at"),
        ({"connection": users[7]}, "-booked_at"),
    ):
        for walk in (True, False):
            found = await read(resources, users[7], walk=walk, sort=sort, **query)
            assert found
            assert max(rows for _, rows in found) <= ROWS, (query, sort, found)
