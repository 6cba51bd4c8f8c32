"""Schwab's adapter against the Trader API as the sandbox plays it."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlparse

import pytest

from grove.core.clock import now
from grove.core.errors import UpstreamError, UpstreamTimeout
from grove_provider_sync.adapters.schwab import calls
from grove_provider_sync.providers.interface import (
    Asking,
    CursorRefused,
    NoticeRefused,
    ProviderRefused,
    ProviderThrottled,
    Tokens,
)
from grove_sandbox.schwab.trader import activity_id, hash_of

pytestmark = pytest.mark.integration


async def walk(link, token: str, cursor: str | None = None) -> tuple[list, str]:
    pages = []
    while True:
        pages.append(await link.provider.transactions(token, cursor))
        cursor = pages[-1].next_cursor
        if not pages[-1].has_more:
            return pages, cursor


def told(pages) -> dict[str, tuple]:
    return {
        item.id: (item.description, item.status, item.booked_at.isoformat()) for page in pages for item in page.changed
    }


async def expected(link) -> dict[str, tuple]:
    return {
        str(activity_id(each["id"])): (each["description"], each["status"], each["booked_on"])
        for each in await link.theirs()
    }


async def test_a_sign_in_holds_seven_days_and_needs_no_pkce(link):
    asking = Asking(state="st", challenge="ch", redirect_uri="https://client.test/back", user="somebody")
    asked = parse_qs(urlparse((await link.provider.authorize(asking)).url).query)
    assert asked == {
        "response_type": ["code"],
        "client_id": ["grove"],
        "redirect_uri": ["https://client.test/back"],
        "state": ["st"],
    }
    grant = await link.grant()
    assert timedelta(days=6, hours=23) < grant.ends_at - now() < timedelta(days=7, minutes=1)
    assert timedelta(minutes=29) < grant.tokens.expires_at - now() < timedelta(minutes=31)
    fresh = await link.provider.refresh(grant.tokens)
    assert fresh.refresh_token == grant.tokens.refresh_token
    assert fresh.access_token != grant.tokens.access_token
    assert len(await link.provider.accounts(fresh.access_token)) == 2


async def test_what_ended_at_schwab_is_refused(link):
    tokens = (await link.grant()).tokens
    await link.world.post(f"{link.control}/revoke")
    for call in (
        link.provider.refresh(tokens),
        link.provider.refresh(Tokens(tokens.access_token, None, None)),
        link.provider.accounts(tokens.access_token),
        link.provider.transactions(tokens.access_token, None),
        link.provider.exchange(link.back(None)),
        link.provider.exchange(link.back("unknown")),
    ):
        with pytest.raises(ProviderRefused):
            await call
    assert await link.provider.revoke(tokens) is None
    with pytest.raises(NoticeRefused):
        await link.provider.notices({}, b"{}")


@pytest.mark.parametrize(
    ("status", "body", "refuses"),
    [
        (400, {"error": "invalid_grant"}, True),
        (401, {"error": "x", "error_description": '{"error":"refresh_token_authentication_error"}'}, True),
        (400, {"error": "unsupported_token_type"}, False),
        (400, {"error": "invalid_request"}, False),
        (401, {"error": "invalid_client"}, False),
    ],
)
async def test_only_a_dead_refresh_token_is_a_matter_for_the_user(link, status, body, refuses):
    tokens = (await link.grant()).tokens
    await link.fault("/v1/oauth/token", status=status, body=body)
    with pytest.raises(UpstreamError) as failed:
        await link.provider.refresh(tokens)
    assert isinstance(failed.value, ProviderRefused) is refuses
    assert refuses or failed.value.message == f"Schwab answered {status}."


async def test_a_walk_reads_all_and_later_ones_the_last_days(link):
    token = (await link.grant()).tokens.access_token
    pages, cursor = await walk(link, token)
    assert told(pages) == await expected(link)
    assert len(pages) == 2 * 7
    assert all(page.whole.account_id == item.account_id for page in pages for item in page.changed)
    assert all(page.whole.start <= item.booked_at < page.whole.end for page in pages for item in page.changed)
    base = f"{link.control}/transactions"
    await link.world.post(base, json={"id": f"{link.customer}-new", "amount": "-5", "description": "New"})
    pages, _ = await walk(link, token, cursor)
    start = datetime.now(UTC).date() - timedelta(days=29)
    assert [(page.whole.start, page.removed) for page in pages] == [(start, ()), (start, ())]
    assert told(pages) == {key: each for key, each in (await expected(link)).items() if each[2] >= start.isoformat()}


@pytest.mark.parametrize("seed", range(3))
async def test_through_a_life_later_walks_keep_up_with_the_days_that_they_read_again(link, seed):
    token = (await link.grant()).tokens.access_token
    pages, cursor = await walk(link, token)
    held = {item.id: item for page in pages for item in page.changed}
    for part in range(3):
        await link.world.post(f"{link.control}/life", params={"steps": 60, "seed": 10 * seed + part})
        pages, cursor = await walk(link, token, cursor)
        for page in pages:
            held = {key: item for key, item in held.items() if not _within(item, page.whole)}
            held |= {item.id: item for item in page.changed}
    open_accounts = {account.id for account in await link.provider.accounts(token)}
    start = (datetime.now(UTC).date() - timedelta(days=29)).isoformat()
    kept = {
        key: (item.description, item.status, item.booked_at.isoformat())
        for key, item in held.items()
        if item.account_id in open_accounts and item.booked_at.isoformat() >= start
    }
    assert kept == {key: each for key, each in (await expected(link)).items() if each[2] >= start}
    assert len(kept) > 60


def _within(item, window) -> bool:
    return item.account_id == window.account_id and window.start <= item.booked_at < window.end


async def test_an_answer_that_is_full_is_read_again_in_halves(link, monkeypatch):
    token = (await link.grant()).tokens.access_token
    whole, _ = await walk(link, token)
    monkeypatch.setattr(calls, "MOST_ROWS", 10)
    await link.behave(schwab_rows=10)
    halved, _ = await walk(link, token)
    assert [page.whole for page in halved] == [page.whole for page in whole]
    assert told(halved) == told(whole) == await expected(link)
    assert all(len({item.id for item in page.changed}) == len(page.changed) for page in halved)


async def test_a_booking_belongs_to_the_window_that_begins_with_its_moment(link):
    token = (await link.grant()).tokens.access_token
    account = (await link.provider.accounts(token))[0].id
    today = datetime.now(UTC)
    booked = (await link.provider._calls.transactions(token, account, today - timedelta(days=50), today))[0].time
    before = await link.provider._calls.transactions(token, account, booked - timedelta(hours=1), booked)
    after = await link.provider._calls.transactions(token, account, booked, booked + timedelta(hours=1))
    assert booked not in [item.time for item in before]
    assert booked in [item.time for item in after]


async def test_more_in_a_moment_than_an_answer_holds_is_a_failure_and_no_loss(link, monkeypatch):
    token = (await link.grant()).tokens.access_token
    monkeypatch.setattr(calls, "MOST_ROWS", 1)
    await link.behave(schwab_rows=1)
    with pytest.raises(UpstreamError, match="more transactions in a moment"):
        await walk(link, token)


async def test_an_account_that_is_gone_is_passed_over_and_an_unknown_cursor_refused(link):
    token = (await link.grant()).tokens.access_token
    first = await link.provider.transactions(token, None)
    await link.fault("/trader/v1/accounts/", status=404)
    page = await link.provider.transactions(token, first.next_cursor)
    assert (page.changed, page.removed, page.whole, page.has_more) == ((), (), None, True)
    pages, cursor = await walk(link, token, page.next_cursor)
    assert {each.whole.account_id for each in pages} == {(await link.provider.accounts(token))[1].id}
    pages, _ = await walk(link, token, cursor)
    assert [each.whole.account_id for each in pages] == [first.whole.account_id] * 7 + [pages[-1].whole.account_id]
    with pytest.raises(CursorRefused):
        await link.provider.transactions(token, "of before")


async def test_a_question_of_more_than_sixty_days_is_refused_by_schwab(link):
    token = (await link.grant()).tokens.access_token
    account = (await link.provider.accounts(token))[0].id
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert await link.provider._calls.transactions(token, account, start, start + timedelta(days=60)) == ()
    with pytest.raises(UpstreamError, match="Schwab answered 400"):
        await link.provider._calls.transactions(token, account, start, start + timedelta(days=61))


@pytest.mark.parametrize(
    ("weather", "error"),
    [
        ({"throttled": 1}, ProviderThrottled),
        ({"unavailable": 1}, UpstreamError),
        ({"dropped": 1}, UpstreamError),
        ({"garbled": 1}, UpstreamError),
        ({"hangs": 1}, UpstreamTimeout),
    ],
)
async def test_weather_is_a_failure_of_a_kind_that_runs_know(link, calm, weather, error):
    token = (await link.grant()).tokens.access_token
    await link.behave(weather=weather, hang_seconds=3, seed=5)
    with pytest.raises(error) as met:
        await link.provider.transactions(token, None)
    assert not isinstance(met.value, ProviderRefused)
    await calm()


async def test_a_refresh_is_never_asked_for_twice_by_itself(link):
    tokens = (await link.grant()).tokens
    await link.behave(weather={"token_unavailable": 1}, seed=5)
    before = (await link.world.get("/control/bank")).json()["calls"]["/schwab/v1/oauth/token"]
    with pytest.raises(UpstreamError, match="answered 503"):
        await link.provider.refresh(tokens)
    assert (await link.world.get("/control/bank")).json()["calls"]["/schwab/v1/oauth/token"] == before + 1


async def test_account_numbers_stay_outside(link):
    token = (await link.grant()).tokens.access_token
    theirs = (await link.world.get(f"{link.control}/accounts")).json()
    found = await link.provider.accounts(token)
    assert [each.id for each in found] == [hash_of(each["id"]) for each in theirs]
    assert [len(each.mask) for each in found] == [4, 4]
    assert {each.currency for each in found} == {"USD"}
