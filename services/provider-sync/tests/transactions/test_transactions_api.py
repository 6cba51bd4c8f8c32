"""The transaction lists: every filter by itself and together, in every order, exact to the last row."""

from datetime import date
from decimal import Decimal

import pytest
from pydantic import TypeAdapter
from sqlalchemy import select, text

from grove.core.clock import now
from grove.core.ids import new_id
from grove.web.pagination import encode_cursor
from grove_provider_sync.models import Account, Connection, Transaction
from grove_provider_sync.transactions.schemas import TransactionRead

pytestmark = pytest.mark.integration
ROWS = (
    # description, amount, currency, status, category, booked
    ("Rent for May", "-900.00", "EUR", "posted", "housing", date(2026, 5, 1)),
    ("Tram 4", "-2.80", "EUR", "pending", "transport", date(2026, 5, 2)),
    ("Tram 9", "-2.80", "CHF", "posted", "transport", date(2026, 5, 3)),
    ("Salary", "2500.00", "EUR", "posted", None, date(2026, 5, 31)),
)


@pytest.fixture
async def connection(user, held):
    return await held(Connection, user_id=user.id)


@pytest.fixture
async def account(user, held, connection):
    return await held(Account, user_id=user.id, connection_id=connection)


@pytest.fixture
async def book(user, held, connection, account):
    async def book(**fields):
        place = {"user_id": user.id, "connection_id": connection, "account_id": account}
        return await held(Transaction, **place | fields)

    return book


@pytest.fixture
async def booked(book):
    for description, amount, currency, status, category, day in ROWS:
        what = {"description": description, "currency": currency, "status": status, "category": category}
        await book(**what, amount=Decimal(amount), booked_at=day)
    await book(description="Tram removed", removed_at=now(), booked_at=date(2026, 5, 2))


async def walk(user, path: str, **query) -> list[dict]:
    items, cursor = [], ""
    while cursor is not None:
        answer = await user.call("GET", path, params=query | {"cursor": cursor})
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
    return items


@pytest.mark.usefixtures("booked")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["Salary", "Tram 9", "Tram 4", "Rent for May"]),
        ({"date_from": "2026-05-02"}, ["Salary", "Tram 9", "Tram 4"]),
        ({"date_to": "2026-05-02"}, ["Rent for May"]),
        ({"date_from": "2026-05-02", "date_to": "2026-05-03"}, ["Tram 4"]),
        ({"amount_from": "0"}, ["Salary"]),
        ({"amount_from": "-2.8", "amount_to": "-2.7999"}, ["Tram 9", "Tram 4"]),
        ({"amount_to": "-2.80"}, ["Rent for May"]),
        ({"currency": "CHF"}, ["Tram 9"]),
        ({"status": "pending"}, ["Tram 4"]),
        ({"category": "transport"}, ["Tram 9", "Tram 4"]),
        ({"q": "TRAM"}, ["Tram 9", "Tram 4"]),
        ({"q": "tram -4"}, ["Tram 9"]),
        ({"q": "rent or salary"}, ["Salary", "Rent for May"]),
        ({"category": "transport", "currency": "EUR", "q": "tram", "date_from": "2026-01-01"}, ["Tram 4"]),
        ({"status": "posted", "amount_to": "0", "sort": "amount"}, ["Rent for May", "Tram 9"]),
        ({"sort": "booked_at"}, ["Rent for May", "Tram 4", "Tram 9", "Salary"]),
        ({"sort": "-amount,booked_at"}, ["Salary", "Tram 4", "Tram 9", "Rent for May"]),
        ({"date_from": "0001-01-01", "amount_to": "9" * 16 + ".9999"}, ["Salary", "Tram 9", "Tram 4", "Rent for May"]),
        ({"date_to": "9999-12-31", "amount_to": "-900"}, []),
    ],
)  # fmt: skip
async def test_each_filter_and_several_together_by_page_and_by_cursor(user, account, query, found):
    listed = (await user.call("GET", "/transactions", params=query)).json()
    assert ([item["description"] for item in listed["items"]], listed["total"]) == (found, len(found))
    assert [item["description"] for item in await walk(user, "/transactions", size=1, **query)] == found
    of_account = (await user.call("GET", f"/accounts/{account}/transactions", params=query)).json()
    assert of_account["items"] == listed["items"]


async def test_those_of_an_account_and_of_a_connection(user, held, book, account, connection):
    other = await held(Account, user_id=user.id, connection_id=connection, name="Savings")
    elsewhere = await held(Connection, user_id=user.id)
    far = await held(Account, user_id=user.id, connection_id=elsewhere, name="Far")
    await book(description="here")
    await book(description="beside", account_id=other)
    await book(description="far", account_id=far, connection_id=elsewhere)
    for query, found in (
        ({"account": account}, {"here"}),
        ({"account": other}, {"beside"}),
        ({"connection": connection}, {"here", "beside"}),
        ({"connection": elsewhere, "account": far}, {"far"}),
        ({"connection": elsewhere, "account": other}, set()),
        ({"account": new_id()}, set()),
    ):
        listed = (await user.call("GET", "/transactions", params=query)).json()
        assert {item["description"] for item in listed["items"]} == found


@pytest.mark.parametrize(
    "query",
    [
        {"amount_from": "NaN"},
        {"amount_from": "Infinity"},
        {"amount_to": "1e5"},
        {"amount_to": "1_0"},
        {"amount_to": "٣"},
        {"amount_from": "1" * 17},
        {"amount_from": "0.00001"},
        {"amount_from": "5", "amount_to": "5"},
        {"amount_from": "5", "amount_to": "-5"},
        {"date_from": "2026-02-30"},
        {"date_from": "0"},
        {"date_from": "1700000000"},
        {"date_from": "20260501"},
        {"date_to": "2026-05-01T00:00:00Z"},
        {"date_to": "10000-01-01"},
        {"date_from": "2026-05-02", "date_to": "2026-05-02"},
        {"date_from": "2026-05-02", "date_to": "2026-05-01"},
        {"currency": "eur"},
        {"currency": "EURO"},
        {"status": "removed"},
        {"category": ""},
        {"category": "a\0b"},
        {"category": "x" * 101},
        {"q": "a\0b"},
        {"q": ""},
        {"q": "x" * 201},
        {"sort": "description"},
        {"sort": "amount,-amount"},
        {"account": "mine"},
        {"connection": "1"},
        {"size": "101"},
        {"page": "0"},
        {"page": "101", "size": "100"},
        {"page": "1", "cursor": ""},
        {"cursor": "nonsense"},
    ],
)
async def test_what_is_out_of_bounds_is_refused_everywhere(user, account, query):
    paths = ["/transactions", f"/accounts/{account}/transactions", "/transactions/export"]
    if query.keys() & {"size", "page", "cursor"}:
        paths.pop()
    elif query.keys() & {"account", "connection"}:
        paths.pop(1)
    for path in paths:
        answer = await user.call("GET", path, params=query)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR"), path
        for detail in answer.json()["error"]["details"]:
            assert detail["field"].removeprefix("query.") in query


@pytest.mark.parametrize(("sort", "amount"), [("amount", "0.1"), ("-amount", "12.34"), ("-amount", "9" * 16 + ".9999")])
async def test_a_walk_by_amount_meets_equal_amounts_once_each(user, book, sort, amount):
    made = {str(await book(amount=Decimal(amount))) for _ in range(5)}
    walked = [item["id"] for item in await walk(user, "/transactions", size=2, sort=sort)]
    assert len(walked) == 5
    assert set(walked) == made


@pytest.mark.parametrize("amount", ["1e16", "9999999999999999.99999", "-1e400", "1e-4000", "NaN", 1e300, None, [1]])
async def test_a_cursor_with_an_amount_that_none_is_never_was_one(user, book, amount):
    await book()
    cursor = encode_cursor(["amount"], [amount, str(new_id())])
    answer = await user.call("GET", "/transactions", params={"cursor": cursor, "sort": "amount"})
    assert answer.status_code == 422


async def test_a_walk_is_stable_while_bookings_arrive(user, book):
    days = [date(2026, 5, day) for day in range(1, 9)]
    for day in days:
        await book(booked_at=day)
    first = (await user.call("GET", "/transactions", params={"size": 3, "cursor": ""})).json()
    await book(booked_at=date(2026, 6, 1))
    rest = await user.call("GET", "/transactions", params={"size": 100, "cursor": first["next_cursor"]})
    seen = [item["booked_at"] for item in first["items"] + rest.json()["items"]]
    assert seen == [str(day) for day in reversed(days)]


@pytest.mark.parametrize("size", [1, 2])
async def test_json_of_the_database_is_the_models_byte_for_byte(user, book, resources, size):
    await book(description='Ünïcode "quoted" \\ </a>\u2028', category=None, amount=Decimal("-0.0001"))
    await book(value_at=date(2026, 5, 2), amount=Decimal("9999999999999999.9999"), status="pending", currency="JPY")
    answer = await user.call("GET", "/transactions", params={"size": size, "cursor": "", "sort": "updated_at"})
    async with resources.sessions() as session:
        rows = (await session.scalars(select(Transaction).order_by(Transaction.updated_at).limit(size))).all()
    written = [TypeAdapter(TransactionRead).dump_json(TransactionRead.model_validate(row)) for row in rows]
    assert answer.content.startswith(b'{"items":[' + b",".join(written) + b"],")


async def test_what_is_being_erased_is_not_there(user, book, account, resources):
    await book()
    paths = ("/transactions", f"/transactions?account={account}", "/transactions?cursor=")
    for path in paths:
        assert len((await user.call("GET", path)).json()["items"]) == 1
    assert (await user.call("GET", f"/accounts/{account}/transactions")).json()["total"] == 1
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE connections SET erasing = true"))
    for path in paths:
        assert (await user.call("GET", path)).json()["items"] == []
    assert (await user.call("GET", f"/accounts/{account}/transactions")).status_code == 404


async def test_an_account_without_transactions_is_there_and_anothers_is_not(user, stranger, account):
    path = f"/accounts/{account}/transactions"
    assert (await user.call("GET", path)).json()["items"] == []
    assert (await stranger.call("GET", path)).status_code == 404
    assert (await user.call("GET", f"/accounts/{new_id()}/transactions")).status_code == 404
