"""Pages of the sandbox bank in its weather, and that what it sends in another form is refused without its values."""

import pytest

from grove.core.errors import UpstreamError, UpstreamTimeout
from grove_provider_sync.providers.interface import (
    CursorRefused,
    HistoryChanged,
    ProviderThrottled,
    TransactionData,
)

pytestmark = pytest.mark.integration


async def walk(link, token: str, cursor: str | None = None) -> tuple[list, str]:
    pages = []
    while True:
        pages.append(await link.provider.transactions(token, cursor))
        cursor = pages[-1].next_cursor
        if not pages[-1].has_more:
            return pages, cursor


def held(pages, known: dict[str, TransactionData]) -> dict[str, TransactionData]:
    """What one holds who does what each page says."""
    for page in pages:
        for key in page.removed:
            known.pop(key, None)
        known |= {item.id: item for item in page.changed}
    return known


async def test_pages_lead_to_what_the_bank_holds_through_a_life(link):
    await link.behave(page_size=7)
    token = (await link.grant()).tokens.access_token
    pages, cursor = await walk(link, token)
    known = held(pages, {})
    for seed in range(3):
        await link.world.post(f"{link.control}/life", params={"steps": 80, "seed": seed})
        pages, cursor = await walk(link, token, cursor)
        known = held(pages, known)
    theirs = (await link.world.get(f"{link.control}/transactions")).json()
    assert {key: (str(item.amount), item.description, item.status, item.account_id) for key, item in known.items()} == {
        each["id"]: (each["amount"], each["description"], each["status"], each["account_id"]) for each in theirs
    }
    assert {key: (item.booked_at, item.value_at and item.value_at.isoformat()) for key, item in known.items()} == {
        each["id"]: (known[each["id"]].booked_at, each["value_on"]) for each in theirs
    }
    accounts = (await link.world.get(f"{link.control}/accounts")).json()
    assert [(each.id, str(each.balance)) for each in await link.provider.accounts(token)] == [
        (each["id"], each["balance"]) for each in accounts
    ]


async def test_an_id_that_a_page_tells_and_removes_is_gone(link):
    token = (await link.grant()).tokens.access_token
    _, cursor = await walk(link, token)
    base = f"{link.control}/transactions"
    await link.world.post(base, json={"id": "brief", "amount": "1", "description": "Brief"})
    await link.world.delete(f"{base}/brief")
    page = await link.provider.transactions(token, cursor)
    assert (page.changed, page.removed) == ((), ("brief",))


async def test_a_cursor_that_the_bank_does_not_know_is_told_apart(link):
    token = (await link.grant()).tokens.access_token
    with pytest.raises(CursorRefused):
        await link.provider.transactions(token, "of before")


async def test_history_that_moves_is_told_apart(link):
    token = (await link.grant()).tokens.access_token
    first = await link.provider.transactions(token, None)
    await link.behave(weather={"moved": 1})
    with pytest.raises(HistoryChanged):
        await link.provider.transactions(token, first.next_cursor)


async def outcomes(link, token: str, calm, count: int = 12) -> set[type]:
    seen: set[type] = set()
    for _ in range(count):
        try:
            await link.provider.accounts(token)
        except (UpstreamError, UpstreamTimeout) as error:
            seen.add(type(error))
        else:
            seen.add(type(None))
        await calm()
    return seen


@pytest.mark.parametrize(
    ("weather", "count", "expected"),
    [
        ({"unavailable": 1}, 2, {UpstreamError, ProviderThrottled}),
        ({"throttled": 1}, 4, {ProviderThrottled}),
        ({"dropped": 1}, 1, {UpstreamError}),
        ({"garbled": 1}, 1, {UpstreamError}),
        ({"hangs": 1}, 1, {UpstreamTimeout}),
        ({"unavailable": 0.2, "dropped": 0.2}, 12, {type(None)}),
    ],
)
async def test_each_weather_is_a_failure_of_a_kind_that_runs_know(link, calm, weather, count, expected):
    token = (await link.grant()).tokens.access_token
    await link.behave(weather=weather, hang_seconds=3, seed=5)  # three plain 503 in a row, then one with Retry-After
    seen = await outcomes(link, token, calm, count)
    assert seen >= expected
    assert seen <= expected | {UpstreamError, ProviderThrottled}
    assert (await link.world.get("/control/bank")).json()["exceeded"] == 0
