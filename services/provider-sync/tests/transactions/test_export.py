"""An export holds what was asked for and nothing else, in both formats and at any size, and never ends in silence."""

import asyncio
import csv
import io
import json
import re
import socket
import tracemalloc
from datetime import date
from decimal import Decimal

import httpx2
import pytest
import uvicorn
from pydantic import TypeAdapter
from sqlalchemy import text

from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.http import FromPeer
from grove.testing.tokens import OpenGate
from grove.web.auth import Authenticator
from grove_provider_sync.models import Account, Connection, Transaction
from grove_provider_sync.transactions import endpoints, exporting
from grove_provider_sync.transactions.exporting import COLUMNS, ExportPages, neutral
from grove_provider_sync.transactions.listing import ExportFilter
from grove_provider_sync.transactions.schemas import TransactionExport

pytestmark = pytest.mark.integration
EXPORT = "/transactions/export"
MANY = """INSERT INTO transactions (id, user_id, connection_id, account_id, provider_id, payload_hash, amount, currency,
  description, status, booked_at, updated_at)
SELECT uuidv7(), :user, :connection, :account, n::text, '', n % 1000 - 500, 'EUR', 'No. ' || n, 'posted',
  DATE '2026-11-30' - n / 150, now()
FROM generate_series(1, CAST(:count AS int)) n"""


@pytest.fixture
async def connection(user, held):
    return await held(Connection, user_id=user.id)


@pytest.fixture
async def account(user, held, connection):
    return await held(Account, user_id=user.id, connection_id=connection)


@pytest.fixture
def book(user, held, connection, account):
    async def book(**fields):
        return await held(
            Transaction, **{"user_id": user.id, "connection_id": connection, "account_id": account} | fields
        )

    return book


@pytest.fixture
def fill(user, resources, connection, account):
    async def fill(count: int) -> None:
        async with resources.engine.begin() as session:
            await session.execute(text("SET LOCAL statement_timeout = '60s'"))
            values = {"user": user.id, "connection": connection, "account": account, "count": count}
            await session.execute(text(MANY), values)
            await session.execute(text("ANALYZE transactions"))  # as the server does by itself, some time later

    return fill


async def test_json_is_one_object_with_what_the_list_has(user, stranger, book):
    for day in range(1, 4):
        await book(booked_at=date(2026, 5, day))
    answer = await user.call("GET", EXPORT, params={"format": "json"}, headers={"Accept": "text/csv"})
    found = answer.json()
    day = found["exported_at"][:10]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == f'attachment; filename="grove-transactions-{day}.json"'
    assert answer.headers["cache-control"] == "private, no-store"
    TypeAdapter(TransactionExport).validate_json(answer.content)
    assert found["transactions"] == (await user.call("GET", "/transactions")).json()["items"]
    assert (await stranger.call("GET", EXPORT, params={"format": "json"})).json()["transactions"] == []


async def test_csv_is_rfc_4180_with_a_header(user, book):
    await book(description='Café "Zum Löwen", Zürich', amount=Decimal("-12.50"), value_at=date(2026, 11, 22))
    await book(category=None, booked_at=date(2026, 1, 1))
    answer = await user.call("GET", EXPORT, headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "text/csv; header=present; charset=utf-8"
    assert answer.headers["content-disposition"].endswith('.csv"')
    written = answer.content.decode()
    lines = written.split("\r\n")
    assert (lines[0], lines[-1], "\n" in "".join(lines)) == (",".join(COLUMNS), "", False)
    assert '"Café ""Zum Löwen"", Zürich"' in lines[1]
    listed = (await user.call("GET", "/transactions")).json()["items"]
    rows = [{name: value or "" for name, value in item.items()} for item in listed]
    assert list(csv.DictReader(io.StringIO(written, newline=""))) == rows


async def test_an_empty_export_is_whole(user):
    assert (await user.call("GET", EXPORT)).text == ",".join(COLUMNS) + "\r\n"
    assert (await user.call("GET", EXPORT, params={"format": "json"})).json()["transactions"] == []


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1", " '=1"),
        ('"=1', "\"'=1"),
        ("＝1", "'＝1"),
        ("Tram;=1", "Tram;'=1"),
        ('Tram; "@x', "Tram; \"'@x"),
        ("Tram 4 - return", "Tram 4 - return"),
        ("a=b", "a=b"),
        ("me@example.com", "me@example.com"),
    ],
)
def test_text_is_no_formula(given, written):
    assert neutral(given) == written


async def test_formulas_are_neutral_in_texts_and_amounts_stay_numbers(user, book):
    await book(description='=cmd|" /C calc"!A0', category="@evil", amount=Decimal("-12.50"))
    [row] = csv.DictReader(io.StringIO((await user.call("GET", EXPORT)).text, newline=""))
    assert (row["description"], row["category"], row["amount"]) == ('\'=cmd|" /C calc"!A0', "'@evil", "-12.50")
    [item] = (await user.call("GET", EXPORT, params={"format": "json"})).json()["transactions"]
    assert (item["description"], item["category"]) == ('=cmd|" /C calc"!A0', "@evil")


async def test_an_export_takes_the_filters_and_the_order_of_the_list(user, held, book, connection):
    other = await held(Account, user_id=user.id, connection_id=connection)
    for amount in range(5):
        await book(amount=Decimal(amount))
    await book(amount=Decimal(2), description="elsewhere", account_id=other)
    query = {"amount_from": "1", "amount_to": "4", "sort": "amount", "status": "posted"}
    for more in ({}, {"account": other}, {"q": "elsewhere"}, {"currency": "CHF"}):
        listed = (await user.call("GET", "/transactions", params=query | more)).json()["items"]
        exported = await user.call("GET", EXPORT, params=query | more | {"format": "json"})
        assert exported.json()["transactions"] == listed
    assert (await user.call("GET", EXPORT, params={"format": "xml"})).status_code == 422


async def nothing() -> None:
    return


@pytest.mark.parametrize("kind", ["csv", "json"])
async def test_a_hundred_thousand_rows_stream_in_little_memory(resources, user, fill, kind):
    """14 to 35 MB of file, of which no more than a page is in hand; the numbers that are collected take most."""
    await fill(100_000)
    pages = ExportPages(resources.reads, user.id, ExportFilter(format=kind))
    size, numbers, rest = 0, set(), ""
    tracemalloc.start()
    try:
        first, cursor = await pages.page("")
        others = pages.behind(cursor, nothing)
        written = exporting.as_csv(first, others) if kind == "csv" else exporting.as_json(first, others, now())
        async for part in written:
            size += len(part)
            numbers.update(map(int, re.findall(r"No\. ([0-9]+)", part)))
            rest = part
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(numbers), min(numbers), max(numbers)) == (100_000, 1, 100_000)
    assert size > 14_000_000
    assert peak < 14_000_000
    assert kind == "csv" or rest == "]}"


@pytest.fixture
async def address(app):
    """The app behind a real server, for what a transport in the process can't show."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(FromPeer(app, "traefik"), lifespan="off", log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
    server.should_exit = True
    await running


@pytest.mark.parametrize("kind", ["csv", "json"])
async def test_an_error_in_the_middle_breaks_the_connection(address, user, fill, monkeypatch, kind):
    await fill(1000)
    original = ExportPages.page
    count = 0

    async def page(self, cursor):
        nonlocal count
        count += 1
        if count == 9:
            raise RuntimeError("broken")
        return await original(self, cursor)

    url = f"{address}{EXPORT}?format={kind}"
    async with httpx2.AsyncClient(trust_env=False) as http:
        whole = await http.get(url, headers=user.headers)
        listed = whole.json()["transactions"] if kind == "json" else whole.text.splitlines()[1:]
        assert len(listed) == 1000
        monkeypatch.setattr(ExportPages, "page", page)
        got = ""
        with pytest.raises(httpx2.RemoteProtocolError):
            async with http.stream("GET", url, headers=user.headers) as answer:
                assert answer.status_code == 200
                async for part in answer.aiter_text():
                    got += part
        if kind == "json":
            with pytest.raises(json.JSONDecodeError):
                json.loads(got)


async def test_an_export_ends_when_the_session_is_revoked(address, app, resources, issuer, user, fill, monkeypatch):
    await fill(1000)
    gate, session = OpenGate(), str(new_id())
    app.state.authenticator = Authenticator(issuer.verifier(), gate, resources.limiter)
    original = ExportPages.page
    asked = 0

    async def page(self, cursor):
        nonlocal asked
        asked += 1
        if asked == 3:
            gate.revoked.add(session)
        return await original(self, cursor)

    monkeypatch.setattr(ExportPages, "page", page)
    async with httpx2.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.get(f"{address}{EXPORT}", headers=issuer.headers(user.id, sid=session))
    assert asked == 3


async def test_a_slow_client_holds_no_connection_and_is_not_served_for_ever(resources, user, fill, monkeypatch):
    await fill(300)
    pages = ExportPages(resources.reads, user.id, ExportFilter())
    _, cursor = await pages.page("")
    others = pages.behind(cursor, nothing)
    await anext(others)
    pool = resources.reads._pool
    assert pool.get_idle_size() == pool.get_size()
    monkeypatch.setattr(exporting, "MAX_SECONDS", -1)
    with pytest.raises(TimeoutError):
        await anext(others)


async def test_a_lost_database_is_told_before_anything_is_sent(user, resources, monkeypatch):
    async def lost(*_, **__):
        raise ConnectionResetError("gone")

    monkeypatch.setattr(type(resources.reads), "all", lost)
    answer = await user.call("GET", EXPORT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")


async def test_what_is_being_erased_is_not_exported(user, book, resources):
    await book()
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE connections SET erasing = true"))
    assert (await user.call("GET", EXPORT)).text == ",".join(COLUMNS) + "\r\n"


async def test_the_limit_of_exports_holds(user, resources, monkeypatch):
    monkeypatch.setattr(resources.limiter, "_factor", 1)
    amount = endpoints.EXPORT_LIMIT.amount
    statuses = [(await user.call("GET", EXPORT)).status_code for _ in range(amount + 1)]
    assert statuses == [200] * amount + [429]
