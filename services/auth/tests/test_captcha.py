"""CAPTCHA: asked of who guesses, known address or not, and of everyone while many guess; a solution counts once."""

import asyncio
import base64
import json
import secrets
import time
from datetime import timedelta

import altcha
import pytest

from grove.core.clock import now
from grove.security.encryption import new_key
from grove_auth.captcha import proof

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
WRONG = "guess a tree or two"
RING = new_key("1")
SOON = timedelta(minutes=5)


def network() -> dict[str, str]:
    """The headers of a client in a network of its own."""
    return {"X-Forwarded-For": f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"}


def work_on(challenge: dict) -> str:
    """The solution of a challenge, as a widget sends it."""
    made = altcha.Challenge.from_dict(challenge)
    found = altcha.solve_challenge(made)
    assert found is not None
    return altcha.Payload(made, found).to_base64()


async def solution(client) -> str:
    """The solution of a new challenge."""
    answer = await client.get(f"{AUTH}/captcha/challenge", headers=network())
    assert answer.status_code == 200, answer.text
    return work_on(answer.json())


EASY = {"captcha_after_failures": 3, "captcha_difficulty": 20}


@pytest.fixture
async def strict(replica):
    async with await replica(**EASY) as client:
        yield client


async def login(client, email: str, password: str = WRONG, *, place: dict | None = None, **more):
    body = {"email": email, "password": password, **more}
    return await client.post(f"{AUTH}/login", json=body, headers=place or network())


def codes(answers) -> list[str]:
    return [answer.json()["error"]["code"] for answer in answers]


async def test_three_wrong_passwords_of_an_address_ask_for_one_whether_or_not_it_has_an_account(strict, ada, stranger):
    for person in (ada, stranger):
        answers = [await login(strict, person.email) for _ in range(4)]
        assert codes(answers) == ["INVALID_CREDENTIALS"] * 3 + ["CAPTCHA_REQUIRED"]
        assert answers[3].status_code == 403
        [detail] = answers[3].json()["error"]["details"]
        assert detail == {"type": "captcha", "challenge": f"{AUTH}/captcha/challenge"}
    known, unknown = [(await login(strict, p.email)).json()["error"] for p in (ada, stranger)]
    assert known == unknown
    wrong = await login(strict, ada.email, captcha=await solution(strict))
    assert codes([wrong]) == ["INVALID_CREDENTIALS"]
    right = await login(strict, ada.email, "plant trees not walls", captcha=await solution(strict))
    assert right.status_code == 200
    assert (await login(strict, ada.email, "plant trees not walls")).status_code == 200, "a right one begins anew"


async def test_three_wrong_passwords_of_a_network_ask_for_one(strict, ada):
    place = network()
    answers = [await login(strict, f"{secrets.token_hex(6)}@example.com", place=place) for _ in range(4)]
    assert codes(answers) == ["INVALID_CREDENTIALS"] * 3 + ["CAPTCHA_REQUIRED"]
    beside = {"X-Forwarded-For": place["X-Forwarded-For"] + "234"}
    refused = await login(strict, ada.email, "plant trees not walls", place=beside)
    assert codes([refused]) == ["CAPTCHA_REQUIRED"], "the same /64"
    assert (await login(strict, ada.email, "plant trees not walls")).status_code == 200, "another network"


@pytest.mark.parametrize("route", ["register", "request-password-reset", "resend-verification"])
async def test_other_routes_ask_too(strict, ada, stranger, route, outside):
    await asyncio.gather(*(login(strict, person.email) for person in (ada, stranger) for _ in range(3)))
    for person in (ada, stranger):
        before, body = len(await outside.mails()), {"email": person.email}
        if route == "register":
            body |= {"password": "plant trees not walls", "name": "Ada"}
        refused = await strict.post(f"{AUTH}/{route}", json=body, headers=network())
        assert codes([refused]) == ["CAPTCHA_REQUIRED"]
        assert len(await outside.mails()) == before
        body["captcha"] = await solution(strict)
        assert (await strict.post(f"{AUTH}/{route}", json=body, headers=network())).status_code == 202


async def test_a_solution_counts_once_in_any_race(replica, stranger, resources):
    async with await replica(**EASY) as one, await replica(**EASY) as other:
        await asyncio.gather(*(login(one, stranger.email) for _ in range(3)))
        solved = await solution(one)
        answers = await asyncio.gather(
            *(login(client, stranger.email, captcha=solved) for client in (one, other) for _ in range(10))
        )
        assert sorted(codes(answers)) == ["CAPTCHA_REQUIRED"] * 19 + ["INVALID_CREDENTIALS"]
        assert await resources.database["captcha_solutions"].count_documents({}) == 1
        late = await login(other, stranger.email, captcha=solved)
        assert (late.status_code, codes([late])) == (403, ["CAPTCHA_REQUIRED"])


async def test_a_solution_that_was_not_needed_is_not_used_up(strict, ada, resources):
    solved = await solution(strict)
    assert (await login(strict, ada.email, "plant trees not walls", captcha=solved)).status_code == 200
    assert await resources.database["captcha_solutions"].count_documents({}) == 0


async def test_while_many_guess_everyone_is_asked_in_every_process(replica, ada, resources):
    right = "plant trees not walls"
    rates = EASY | {"captcha_failure_rate": 10, "captcha_after_failures": 0}
    async with await replica(**rates) as one, await replica(**rates) as other, await replica(**EASY) as off:
        for client in (one, other) * 4:
            assert codes([await login(client, f"nobody{time.monotonic_ns()}@example.com")]) == ["INVALID_CREDENTIALS"]
        assert (await login(one, ada.email, right)).status_code == 200
        for client in (one, other):
            assert codes([await login(client, f"nobody{time.monotonic_ns()}@example.com")]) == ["INVALID_CREDENTIALS"]
        for client in (one, other):
            assert codes([await login(client, ada.email, right)]) == ["CAPTCHA_REQUIRED"]
            assert (await login(client, ada.email, right, captcha=await solution(client))).status_code == 200
        asked = await other.post(f"{AUTH}/request-password-reset", json={"email": ada.email}, headers=network())
        assert codes([asked]) == ["CAPTCHA_REQUIRED"]
        assert (await login(off, ada.email, right)).status_code == 200, "the setting 0 switches it off"
        left = await resources.valkey.pttl("auth:guesses:high")
        assert 590_000 < left <= 600_000, "ten minutes after the last time that so many guessed"
        actions = await resources.audit_database["audit_events"].count_documents({"action": "captcha.high_traffic"})
        assert actions == 1, "told once, not with each further guess"
        await resources.valkey.pexpire("auth:guesses:high", 1)
        await asyncio.sleep(0.05)
        assert (await login(one, ada.email, right)).status_code == 200


async def test_slow_guesses_do_not_make_high_traffic(replica, resources):
    async with await replica(captcha_failure_rate=5, captcha_after_failures=0) as client:
        await asyncio.gather(*(login(client, f"nobody{n}@example.com") for n in range(4)))
        old = [str(int(time.time() * 1000) - 61_000)] * 4
        await resources.valkey.delete("auth:guesses:suite")
        await resources.valkey.rpush("auth:guesses:suite", *old)
        assert codes([await login(client, "nobody4@example.com")]) == ["INVALID_CREDENTIALS"]
        assert await resources.valkey.exists("auth:guesses:high") == 0


async def test_without_valkey_each_process_counts_and_a_solution_still_counts_once(replica, ada):
    lost = EASY | {"captcha_failure_rate": 6, "valkey_port": 1}
    async with await replica(**lost) as client:
        answers = [await login(client, ada.email) for _ in range(4)]
        assert codes(answers) == ["INVALID_CREDENTIALS"] * 3 + ["CAPTCHA_REQUIRED"]
        solved = await solution(client)
        assert (await login(client, ada.email, "plant trees not walls", captcha=solved)).status_code == 200
        answers = [await login(client, ada.email) for _ in range(3)]
        assert codes(answers) == ["INVALID_CREDENTIALS"] * 3
        assert codes([await login(client, ada.email, captcha=solved)]) == ["CAPTCHA_REQUIRED"]
        assert codes([await login(client, "somebody@example.com")]) == ["CAPTCHA_REQUIRED"], "six in a minute"


@pytest.mark.parametrize(
    "sent",
    [
        "nonsense",
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b'{"challenge": {"parameters": {}}, "solution": {}}').decode(),
        base64.b64encode(b'{"challenge": [], "solution": 1}').decode(),
        base64.b64encode(b"[" * 2900).decode(),
        "\u00e9",
    ],
)
async def test_nonsense_is_no_solution_and_no_server_error(strict, stranger, sent):
    await asyncio.gather(*(login(strict, stranger.email) for _ in range(3)))
    assert codes([await login(strict, stranger.email, captcha=sent)]) == ["CAPTCHA_REQUIRED"]


def changed(solved: str, **parameters) -> str:
    body = json.loads(base64.b64decode(solved))
    body["challenge"]["parameters"] |= parameters
    return base64.b64encode(json.dumps(body).encode()).decode()


def test_only_our_own_challenges_solved_in_time_count():
    challenge = proof.challenge(RING, 20, now() + SOON).to_dict()
    solved = work_on(challenge)
    assert proof.solved(solved, RING) == challenge["parameters"]["nonce"]
    assert proof.solved(solved, f"{new_key('2')}\n{RING}") is not None, "after the ring got a new key"
    assert proof.solved(solved, new_key("2")) is None
    assert proof.solved(changed(solved, keyPrefix="00"), RING) is None
    assert proof.solved(changed(solved, expiresAt=2_000_000_000), RING) is None
    assert proof.solved(changed(solved, expiresAt=None), RING) is None
    body = json.loads(base64.b64decode(solved))
    body["solution"]["derivedKey"] = body["challenge"]["parameters"]["keyPrefix"] + "00" * 16
    assert proof.solved(base64.b64encode(json.dumps(body).encode()).decode(), RING) is None, "work was not done"
    late = proof.challenge(RING, 20, now() - timedelta(seconds=2)).to_dict()
    assert proof.solved(work_on(late), RING) is None
    own = altcha.create_challenge(proof.ALGORITHM, 1, counter=1, expires_at=now() + SOON, hmac_secret="own")
    assert proof.solved(work_on(own.to_dict()), RING) is None


def test_a_challenge_takes_the_work_that_the_setting_says():
    for _ in range(20):
        made = proof.challenge(RING, 20, now() + SOON)
        found = altcha.solve_challenge(made)
        assert found is not None
        assert 10 <= found.counter < 20
