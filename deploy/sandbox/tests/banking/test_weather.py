"""Trouble comes as often as it was asked for, in all its kinds, and the same for the same seed."""

import httpx2
import pytest


async def play(bank, tokens, **weather) -> None:
    await bank.behave(weather=weather, hang_seconds=0, seed=3, page_size=50)


async def outcomes(bank, tokens, count=20) -> list[str]:
    seen = []
    for _ in range(count):
        try:
            answer = await bank.get("accounts", tokens)
            answer.json()
        except httpx2.HTTPError:
            seen.append("cut")
        except ValueError:
            seen.append("garbled")
        else:
            pause = answer.headers.get("retry-after", "-")
            seen.append(f"{answer.status_code} {pause} {answer.headers.get('ratelimit-scope', '-')}")
    return seen


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("unavailable", {"503 - -", "503 1 -"}),
        ("throttled", {"429 1 all", "429 1 customer"}),
        ("hangs", {"200 - -", "cut"}),
        ("dropped", {"cut"}),
        ("garbled", {"garbled"}),
    ],
)
async def test_each_kind(bank, kind, expected):
    tokens = await bank.consent("wes")
    await play(bank, tokens, **{kind: 1})
    assert set(await outcomes(bank, tokens)) == expected
    told = await bank.told()
    assert (told["faults"], told["exceeded"]) == ({kind: 20}, 0)


async def test_history_moves_on_pages_after_the_first_only(bank):
    tokens = await bank.consent("mo")
    await play(bank, tokens, moved=1)
    first = await bank.get("transactions", tokens)
    assert (first.status_code, first.json()["has_more"]) == (200, True)
    moved = await bank.get("transactions", tokens, cursor=first.json()["next_cursor"])
    assert (moved.status_code, moved.json()) == (409, {"error": "history_changed"})
    await bank.behave()
    pages, end = await bank.walk(tokens)
    await play(bank, tokens, moved=1)
    later = await bank.get("transactions", tokens, cursor=end)
    assert (len(pages), later.status_code) == (3, 200)


async def test_a_refresh_that_is_unavailable_spends_nothing(bank):
    tokens = await bank.consent("una")
    await play(bank, tokens, token_unavailable=1)
    assert (await bank.refresh(tokens)).status_code == 503
    assert (await bank.get("accounts", tokens)).status_code == 200
    assert "access_token" in await bank.consent("una")
    await bank.behave()
    assert (await bank.refresh(tokens)).status_code == 200
    assert (await bank.told())["refresh_tokens_used_twice"]["count"] == 0


async def test_the_same_seed_gives_the_same_weather(bank):
    tokens = await bank.consent("seed")
    runs = []
    for _ in range(2):
        await play(bank, tokens, unavailable=0.3, throttled=0.3, garbled=0.2)
        runs.append(await outcomes(bank, tokens))
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 3


async def test_chances_that_cannot_be_are_refused(bank):
    for weather in ({"unavailable": 0.6, "hangs": 0.6}, {"rain": 0.1}, {"moved": 2}):
        assert (await bank.http.put("/control/bank", json={"weather": weather})).status_code == 422
