"""Reading by the adapter: pages, refusals and throttles, and that nothing secret is told."""

from decimal import Decimal

import pytest

from grove.core.errors import UpstreamError
from grove_provider_sync.providers.interface import CursorRefused, HistoryChanged, ProviderRefused, ProviderThrottled

pytestmark = pytest.mark.integration

SYNC = "/transactions/sync"


@pytest.fixture
async def grant(linker):
    return await linker.linked()


async def pages(plaid, token: str) -> list:
    found = [await plaid.transactions(token, None)]
    while found[-1].has_more:
        found.append(await plaid.transactions(token, found[-1].next_cursor))
    return found


async def test_accounts_and_bookings_are_the_customers(plaid, world, linker, grant):
    token = grant.tokens.access_token
    accounts = await plaid.accounts(token)
    assert [(each.type, each.balance) for each in accounts] == [
        ("checking", Decimal("2480.17")),
        ("savings", Decimal("15200.00")),
    ]
    found = await pages(plaid, token)
    assert [len(page.changed) for page in found] == [25, 25, 25, 25, 20]
    base = f"/control/customers/{linker.customer}/transactions"
    theirs = {each["id"]: Decimal(each["amount"]) for each in (await world.http.get(base)).json()}
    assert {each.id: each.amount for page in found for each in page.changed} == theirs
    pending = next(each.id for page in found for each in page.changed if each.status == "pending")
    await world.http.post(base, json={"id": "posted", "amount": "-7.5", "description": "Posted", "replaces": pending})
    page = await plaid.transactions(token, found[-1].next_cursor)
    assert [(each.id, each.amount, each.replaces) for each in page.changed] == [("posted", Decimal("-7.5"), pending)]
    assert page.removed == (pending,)


async def test_data_that_changes_while_it_is_paged_through(plaid, world, grant):
    token = grant.tokens.access_token
    first = await plaid.transactions(token, None)
    await world.behave(grant.external_id, mutates="once")
    with pytest.raises(HistoryChanged):
        await plaid.transactions(token, first.next_cursor)
    assert len(await pages(plaid, token)) == 5


async def test_a_cursor_that_plaid_does_not_know(plaid, world, grant):
    token = grant.tokens.access_token
    first = await plaid.transactions(token, None)
    await world.forget_cursors(grant.external_id)
    with pytest.raises(CursorRefused):
        await plaid.transactions(token, first.next_cursor)


@pytest.mark.parametrize(
    ("code", "reason"),
    [("ITEM_LOGIN_REQUIRED", "refused"), ("ITEM_LOCKED", "refused"), ("USER_PERMISSION_REVOKED", "withdrawn")],
)
async def test_access_that_has_ended(plaid, world, grant, code, reason):
    await world.fail(grant.external_id, code)
    with pytest.raises(ProviderRefused) as refused:
        await plaid.transactions(grant.tokens.access_token, None)
    assert refused.value.reason == reason


@pytest.mark.parametrize("status", [400, 429])
@pytest.mark.parametrize(("code", "whole"), [("TRANSACTIONS_SYNC_LIMIT", False), ("RATE_LIMIT", True)])
async def test_throttles_pause_all_or_one(plaid, world, grant, code, whole, status):
    await world.fail(grant.external_id, code, times=1, status=status)
    before = await world.calls(SYNC)
    for _ in range(2):
        with pytest.raises(ProviderThrottled):
            await plaid.transactions(grant.tokens.access_token, None)
    assert await world.calls(SYNC) == before + 1, "while the pause lasts Plaid is not called"
    assert (await throttle_of(world, plaid, grant, code, status)).whole is whole


async def throttle_of(world, plaid, grant, code: str, status: int) -> ProviderThrottled:
    await plaid_forgets(plaid)
    await world.fail(grant.external_id, code, times=1, status=status)
    with pytest.raises(ProviderThrottled) as told:
        await plaid.transactions(grant.tokens.access_token, None)
    return told.value


async def plaid_forgets(plaid) -> None:
    plaid._http._turns._paused.clear()
    await plaid._http._turns._valkey.delete("provider-sync:pause:plaid")


@pytest.mark.parametrize("cursor", ["none", "some"])
async def test_a_history_that_is_not_ready_is_waited_for_at_the_same_place(plaid, world, grant, cursor):
    token = grant.tokens.access_token
    at = (await plaid.transactions(token, None)).next_cursor if cursor == "some" else None
    await world.behave(grant.external_id, ready=False)
    with pytest.raises(ProviderThrottled) as told:
        await plaid.transactions(token, at)
    assert (told.value.retry_after, told.value.whole) == (30, False)
    await world.fail(grant.external_id, "PRODUCT_NOT_READY", times=1)
    with pytest.raises(ProviderThrottled) as told:
        await plaid.transactions(token, at)
    assert (told.value.retry_after, told.value.whole) == (30, False)
    assert len((await plaid.transactions(token, at)).changed) == 25


async def test_what_is_only_read_is_tried_again(plaid, world, grant):
    for path in ("/plaid/accounts/get", "/plaid/transactions/sync"):
        await world.http.post("/control/faults", json={"path": path, "status": 502})
    assert len(await plaid.accounts(grant.tokens.access_token)) == 2
    assert (await plaid.transactions(grant.tokens.access_token, None)).changed


@pytest.mark.parametrize("code", ["INSTITUTION_DOWN", "INSTITUTION_NOT_RESPONDING", "INVALID_API_KEYS"])
async def test_other_failures_are_told_in_words_without_secrets(plaid, world, grant, code, caplog, capsys):
    await world.fail(grant.external_id, code)
    with pytest.raises(UpstreamError) as told:
        await plaid.accounts(grant.tokens.access_token)
    said = f"{told.value!r} {told.value.message} {told.value.__context__!r} {caplog.text} {capsys.readouterr()}"
    assert type(told.value) is UpstreamError
    assert grant.tokens.access_token not in said
    assert plaid._calls._secret("plaid_secret") not in said
