"""Whoever walks the changes of a random life holds what the bank holds, whatever order it tells them in."""

import pytest


def held(pages: list[dict], known: dict[str, dict]) -> dict[str, dict]:
    """What a client holds after these pages, which tell of what they changed and what is gone."""
    for page in pages:
        known |= {item["id"]: item for item in (*page["added"], *page["modified"])}
        for gone in page["removed"]:
            known.pop(gone, None)
    return known


@pytest.mark.parametrize("seed", range(4))
async def test_the_changes_lead_to_what_there_is(bank, seed):
    name = f"liv-{seed}"
    await bank.behave(page_size=7)
    tokens = await bank.consent(name)
    pages, cursor = await bank.walk(tokens)
    known, told = held(pages, {}), []
    for part in range(5):
        await bank.http.post(f"/control/customers/{name}/life", params={"steps": 60, "seed": seed * 10 + part})
        pages, cursor = await bank.walk(tokens, cursor)
        told += pages
        known = held(pages, known)
        listed = (await bank.http.get(f"/control/customers/{name}/transactions")).json()
        assert known == {item["id"]: item for item in listed}
    accounts = (await bank.http.get(f"/control/customers/{name}/accounts")).json()
    assert accounts == (await bank.get("accounts", tokens)).json()["accounts"]
    assert {item["account_id"] for item in listed} <= {account["id"] for account in accounts}
    assert _orders(told) == {"before", "after", "later"}
    assert {item["value_on"] is None for item in listed} == {True, False}


def _orders(pages: list[dict]) -> set[str]:
    """When the removals of posted bookings' pending forms were told, by page."""
    gone = {key: number for number, page in enumerate(pages) for key in page["removed"]}
    posted = [(n, i["replaces"]) for n, page in enumerate(pages) for i in page["added"] if i["replaces"]]
    names = {-1: "before", 0: "after", 1: "later"}
    return {names[max(-1, min(1, gone[key] - number))] for number, key in posted}


async def test_the_same_seed_gives_the_same_life(bank):
    lives = []
    for name in ("twin-a", "twin-b"):
        await bank.http.post(f"/control/customers/{name}/life", params={"steps": 100, "seed": 5})
        listed = (await bank.http.get(f"/control/customers/{name}/transactions")).json()
        lives.append([(item["id"].removeprefix(name), item["status"]) for item in listed if name in item["id"]])
    assert lives[0] == lives[1] != []


async def test_an_unknown_cursor_is_gone(bank):
    mine, other = await bank.consent("cleo"), await bank.consent("carl")
    _, cursor = await bank.walk(other)
    for unknown in (cursor, "0", "x", "bm8"):
        assert (await bank.get("transactions", mine, cursor=unknown)).status_code == 410
    assert (await bank.get("transactions", other, cursor=cursor)).status_code == 200


async def test_a_history_is_as_long_as_it_is_asked_for(bank):
    url = "/control/customers/rich"
    before = len((await bank.http.get(f"{url}/transactions")).json())
    assert (await bank.http.post(f"{url}/history", params={"bookings": 500})).status_code == 204
    assert len((await bank.http.get(f"{url}/transactions")).json()) == before + 500
