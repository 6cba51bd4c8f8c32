"""What an account held over time: what was told, carried on until something else was."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove_provider_sync.models import Account, Balance, Connection

pytestmark = pytest.mark.integration
MAY = {"date_from": "2026-05-01", "date_to": "2026-05-07"}


@pytest.fixture
async def connection(user, held):
    return await held(Connection, user_id=user.id)


@pytest.fixture
async def account(user, held, connection):
    return await held(Account, user_id=user.id, connection_id=connection, currency="CHF")


@pytest.fixture
def told(held, account):
    async def told(day: date, balance: str | None, available: str | None = None, of=account) -> None:
        values = [None if each is None else Decimal(each) for each in (balance, available)]
        await held(Balance, account_id=of, day=day, balance=values[0], available=values[1])

    return told


async def points(user, account, **query) -> list[tuple]:
    answer = await user.call("GET", f"/accounts/{account}/balances", params=query)
    assert answer.status_code == 200, answer.text
    return [(point["date"][-2:], point["balance"], point["available"]) for point in answer.json()["points"]]


async def test_days_without_a_value_have_the_last_one_known_from_before_the_range_too(user, account, told):
    await told(date(2026, 1, 1), "1.00")
    await told(date(2026, 4, 20), "10.5", "9")
    await told(date(2026, 5, 3), "-20.1250", None)
    await told(date(2026, 5, 5), None, "7")
    await told(date(2026, 5, 7), "99")
    answer = await user.call("GET", f"/accounts/{account}/balances", params=MAY)
    assert answer.json() | {"points": []} == {
        "account_id": str(account),
        "currency": "CHF",
        "interval": "day",
        **MAY,
        "points": [],
    }
    assert await points(user, account, **MAY) == [
        ("01", "10.50", "9.00"),
        ("02", "10.50", "9.00"),
        ("03", "-20.125", None),
        ("04", "-20.125", None),
        ("05", None, "7.00"),
        ("06", None, "7.00"),
    ]


async def test_there_is_nothing_before_the_first_that_is_known(user, account, told):
    assert await points(user, account, **MAY) == []
    await told(date(2026, 5, 5), "5")
    assert await points(user, account, **MAY) == [("05", "5.00", None), ("06", "5.00", None)]
    assert await points(user, account, date_from="2026-04-01", date_to="2026-05-05") == []


async def test_a_week_and_a_month_have_what_they_ended_with(user, account, told):
    for day in range(1, 31):
        await told(date(2026, 4, day), str(day))
    april = {"date_from": "2026-04-01", "date_to": "2026-05-01"}
    weeks = [("05", "5.00", None), ("12", "12.00", None), ("19", "19.00", None), ("26", "26.00", None)]
    assert await points(user, account, interval="week", **april) == [*weeks, ("30", "30.00", None)]
    assert await points(user, account, interval="month", **april) == [("30", "30.00", None)]


async def test_there_is_nothing_after_the_account_was_closed(user, held, connection, told):
    closed = await held(
        Account, user_id=user.id, connection_id=connection, closed_at=datetime(2026, 5, 2, 23, tzinfo=UTC)
    )
    await told(date(2026, 5, 1), "5", of=closed)
    assert [point[0] for point in await points(user, closed, **MAY)] == ["01", "02"]
    assert await points(user, closed, date_from="2026-05-03", date_to="2026-05-05") == []


async def test_what_a_run_stores_is_in_the_chart(user, runner):
    connection = await user.connect()
    await runner.run(connection["id"])
    for account in (await user.call("GET", "/accounts")).json()["items"]:
        [point] = (await user.call("GET", f"/accounts/{account['id']}/balances")).json()["points"]
        assert (point["balance"], point["available"]) == (account["balance"], account["available"])


async def test_anothers_and_what_is_being_erased_are_not_there(user, stranger, account, told, resources):
    await told(date(2026, 5, 1), "5")
    path = f"/accounts/{account}/balances"
    assert (await user.call("GET", path)).status_code == 200
    assert (await stranger.call("GET", path)).status_code == 404
    assert (await user.call("GET", f"/accounts/{new_id()}/balances")).status_code == 404
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE connections SET erasing = true"))
    assert (await user.call("GET", path)).status_code == 404


async def test_a_range_that_is_none_is_a_422_that_says_why(user, account):
    for query in ({"date_from": "2020-01-01"}, {"date_from": "2026-05-02", "date_to": "2026-05-01"}, {"date_to": "x"}):
        answer = await user.call("GET", f"/accounts/{account}/balances", params=query)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
        assert answer.json()["error"]["details"]


async def test_a_year_of_days_is_read_with_a_look_for_each(user, account, held, resources):
    async with resources.engine.begin() as connection:
        many = "INSERT INTO balances SELECT :account, DATE '2020-01-01' + n, n, n FROM generate_series(1, 2000) n"
        await connection.execute(text(many), {"account": account})
    found = await points(user, account, date_from="2024-01-01", date_to="2025-01-01")
    assert (len(found), found[0][1], found[-1][1]) == (366, "1461.00", "1826.00")
