"""Accounts: all of them, open ones first, as the provider told them last."""

from decimal import Decimal

import pytest
from pydantic import TypeAdapter
from sqlalchemy import select, text, update

from grove.core.clock import now
from grove_provider_sync.accounts.schemas import AccountRead
from grove_provider_sync.models import Account, Connection

pytestmark = pytest.mark.integration


@pytest.fixture
async def connection(user, held):
    return await held(Connection, user_id=user.id)


@pytest.fixture
def account(user, held, connection):
    async def account(**fields):
        return await held(Account, user_id=user.id, connection_id=connection, **fields)

    return account


async def test_open_accounts_come_first_by_name_and_closed_ones_stay(user, account):
    moment = now()
    for name, closed_at in (("B", None), ("A", moment), ("C", None), ("D", moment)):
        await account(name=name, closed_at=closed_at)
    items = (await user.call("GET", "/accounts")).json()["items"]
    assert [item["name"] for item in items] == ["B", "C", "A", "D"]
    assert [item["closed_at"] is None for item in items] == [True, True, False, False]


@pytest.mark.parametrize(
    ("name", "amount"),
    [('Ünïcode "quoted" \\ </a>\u2028 \U0001f333', "100.125"), ("Plain", "-9999999999999999.9999"), ("None", None)],
)
async def test_json_of_the_database_is_the_models_byte_for_byte(user, account, resources, name, amount):
    money = None if amount is None else Decimal(amount)
    made = await account(name=name, balance=money, available=money, mask=None, closed_at=now())
    answer = await user.call("GET", f"/accounts/{made}")
    async with resources.sessions() as session:
        row = await session.scalar(select(Account).where(Account.id == made))
    assert answer.content == TypeAdapter(AccountRead).dump_json(AccountRead.model_validate(row))
    listed = await user.call("GET", "/accounts")
    assert listed.content == b'{"items":[' + answer.content + b"]}"


async def test_an_account_has_an_etag_that_changes_with_it(user, account, resources):
    made = await account()
    path = f"/accounts/{made}"
    first = (await user.call("GET", path)).headers["etag"]
    again = await user.call("GET", path, headers={"If-None-Match": first})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first)
    async with resources.sessions.begin() as session:
        await session.execute(update(Account).values(balance=Decimal(3), updated_at=now()))
    changed = await user.call("GET", path, headers={"If-None-Match": first})
    assert (changed.status_code, changed.json()["balance"]) == (200, "3.00")
    assert changed.headers["etag"] != first


async def test_what_is_being_erased_is_not_there(user, account, resources):
    made = await account()
    assert (await user.call("GET", f"/accounts/{made}")).status_code == 200
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE connections SET erasing = true"))
    assert (await user.call("GET", f"/accounts/{made}")).status_code == 404
    assert (await user.call("GET", "/accounts")).json() == {"items": []}


async def test_others_see_nothing_of_it(user, stranger, account):
    made = await account()
    assert (await stranger.call("GET", f"/accounts/{made}")).status_code == 404
    assert (await stranger.call("GET", "/accounts")).json() == {"items": []}
    assert len((await user.call("GET", "/accounts")).json()["items"]) == 1


async def test_an_id_that_is_none_is_said_to_be_so(user):
    assert (await user.call("GET", "/accounts/1")).status_code == 422
