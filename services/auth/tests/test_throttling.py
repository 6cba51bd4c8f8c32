"""Floods and guesses over many addresses; and that strangers can't shut anybody out."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from grove_auth.devices.service import DeviceService
from grove_auth.models import User
from grove_auth.passwords.hasher import CORES
from grove_auth.sessions.errors import InvalidCredentials
from grove_auth.sign_ins.schemas import Login
from grove_auth.sign_ins.service import SignInService

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
AUTH = "/api/v1/auth"
PASSWORD = "plant trees not walls"
OTHER = "water them every evening"
WRONG = "guess a tree or two"
ARGON2_MIB = 40


def network() -> dict[str, str]:
    """The headers of a client in a network of its own."""
    return {"X-Forwarded-For": f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"}


@pytest.fixture
async def strict(replica):
    async with await replica(network_wrong_passwords=12) as client:
        yield client


def a_new_one() -> str:
    """An address that nobody used."""
    return f"{secrets.token_hex(6)}@example.com"


async def login(client, place: dict, email: str | None = None, password: str = WRONG):
    body = {"email": email or a_new_one(), "password": password}
    return await client.post(f"{AUTH}/login", json=body, headers=place)


async def test_guesses_over_many_addresses_shut_their_network_out_whoever_has_an_account(strict, ada, resources):
    place = network()
    answers = [await login(strict, place) for _ in range(12)]
    assert {answer.status_code for answer in answers} == {401}
    refused = [await login(strict, place), await login(strict, place, ada.email, PASSWORD)]
    for answer in refused:
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "RATE_LIMITED")
        assert 3500 < int(answer.headers["retry-after"]) <= 3600
    neighbour = {"X-Forwarded-For": place["X-Forwarded-For"] + "ab"}
    assert (await login(strict, neighbour, ada.email, PASSWORD)).status_code == 429, "the same /64"
    assert (await login(strict, network(), ada.email, PASSWORD)).status_code == 200, "another network"
    assert await resources.audit_database["audit_events"].count_documents({"action": "network.locked"}) == 1


async def test_parallel_guesses_over_many_addresses_gain_nothing(replica, resources):
    place = network()
    async with await replica(network_wrong_passwords=12) as one, await replica(network_wrong_passwords=12) as other:
        answers = await asyncio.gather(*(login(client, place) for client in (one, other) for _ in range(40)))
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(401) <= 12, "each is counted before its password is looked at"
        assert set(statuses) <= {401, 429, 503}
        assert all(answer.headers["retry-after"] for answer in answers if answer.status_code != 401)
        for _ in range(12 - statuses.count(401)):
            assert (await login(one, place)).status_code == 401
        assert (await login(other, place)).status_code == 429


async def test_right_passwords_never_shut_an_office_out_and_take_nothing_back(strict, ada):
    place = network()
    for _ in range(20):
        assert (await login(strict, place, ada.email, PASSWORD)).status_code == 200
    for _ in range(11):
        assert (await login(strict, place)).status_code == 401
    assert (await login(strict, place, ada.email, PASSWORD)).status_code == 200
    assert (await login(strict, place)).status_code == 401
    assert (await login(strict, place, ada.email, PASSWORD)).status_code == 429


async def test_a_try_that_was_not_looked_at_is_not_counted(replica, ada):
    place = network()
    async with await replica(network_wrong_passwords=3) as client:
        [made] = replica.opened
        made.passwords.turns.most = 0
        assert [(await login(client, place)).status_code for _ in range(6)] == [503] * 6
        made.passwords.turns.most = 10
        assert (await login(client, place, ada.email, PASSWORD)).status_code == 200


async def trusted_device(resources, email: str) -> str:
    """The cookie's token of a browser that the user trusts."""
    user = await User.find_one({"email": email})
    return (await DeviceService(resources).trust(user, None)).token


async def prove(resources, email: str, password: str, device: str | None = None) -> bool:
    """Whether a sign-in on this device succeeds."""
    try:
        await SignInService(resources).login(Login(email=email, password=password), device)
    except InvalidCredentials:
        return False
    return True


async def test_strangers_cannot_lock_a_user_out_of_a_trusted_device(ada, resources):
    laptop = await trusted_device(resources, ada.email)
    for _ in range(10):
        assert not await prove(resources, ada.email, WRONG)
    assert not await prove(resources, ada.email, PASSWORD), "locked"
    assert await prove(resources, ada.email, PASSWORD, laptop)
    assert not await prove(resources, ada.email, PASSWORD), "strangers stay locked"


async def test_a_trusted_device_has_ten_tries_of_its_own_until_a_reset(ada, resources, outside):
    laptop = await trusted_device(resources, ada.email)
    for _ in range(10):
        assert not await prove(resources, ada.email, WRONG, laptop)
    assert not await prove(resources, ada.email, PASSWORD, laptop)
    assert await prove(resources, ada.email, PASSWORD)
    assert await prove(resources, ada.email, PASSWORD, await trusted_device(resources, ada.email))
    await ada.client.post(f"{AUTH}/request-password-reset", json={"email": ada.email})
    token = (await outside.mails())[-1]["variables"]["token"]
    reset = await ada.client.post(f"{AUTH}/reset-password", json={"token": token, "new_password": OTHER})
    assert reset.status_code == 204
    assert await prove(resources, ada.email, OTHER, laptop)


async def test_a_device_counts_for_the_user_who_trusts_it_only(ada, stranger, resources):
    laptop = await trusted_device(resources, ada.email)
    for _ in range(10):
        assert not await prove(resources, stranger.email, WRONG, laptop)
    assert await prove(resources, ada.email, PASSWORD, laptop)
    counters = await resources.database["password_attempts"].find({}).to_list()
    assert [counter["user_id"] for counter in counters] == [None], "an unknown address has no devices"


async def test_a_deleted_account_leaves_no_counters(ada, resources):
    laptop = await trusted_device(resources, ada.email)
    assert not await prove(resources, ada.email, WRONG, laptop)
    assert (await ada.client.delete(f"{AUTH}/me", headers=ada.headers)).status_code == 204
    assert await resources.database["password_attempts"].count_documents({}) == 0


async def test_few_sign_ins_are_at_work_at_once_and_the_others_wait(ada, resources, monkeypatch):
    """None goes on before all have come and those whose turn it is are at their password.

    Each has an address of their own: of one address, ten can be tried at once.
    """
    verify, at_work, go_on = resources.passwords.verify, [0], asyncio.Event()

    async def counted(password: str, stored: str | None) -> tuple[bool, str | None]:
        at_work.append(at_work[-1] + 1)
        await go_on.wait()
        try:
            return await verify(password, stored)
        finally:
            at_work.append(at_work[-1] - 1)

    monkeypatch.setattr(resources.passwords, "verify", counted)
    others = (ada.login(email=a_new_one(), password=WRONG) for _ in range(29))
    sign_ins = asyncio.gather(ada.login(), *others)
    async with asyncio.timeout(60):
        while resources.sign_in_turns._taken < 30 or at_work[-1] <= CORES:
            await asyncio.sleep(0.01)
    go_on.set()
    assert [answer.status_code for answer in await sign_ins] == [200] + [401] * 29
    assert max(at_work) == CORES + 1


async def test_sign_ins_beyond_the_queue_are_told_when_to_come_back_before_the_database_is_asked(
    ada, resources, statements, monkeypatch
):
    monkeypatch.setattr(resources.sign_in_turns, "most", 0)
    statements.seen.clear()
    answer = await ada.login()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0
    assert statements.seen == []


@pytest.mark.early
async def test_two_hundred_sign_ins_at_once_are_answered_and_memory_stays_bounded(stores, ada):
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        **stores.environment("auth"),
        "LOG_LEVEL": "ERROR",
    }
    environment |= {"CAPTCHA_FAILURE_RATE": "0", "CAPTCHA_AFTER_FAILURES": "0"}
    script = Path(__file__).with_name("login_storm.py")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(script), ada.email, PASSWORD],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = next((line for line in done.stdout.splitlines() if line.startswith("storm:")), None)
    assert found is not None, done.stdout[-2000:] + done.stderr[-2000:]
    result = json.loads(found.removeprefix("storm:"))
    assert result["memory_kib"] == 19456
    assert set(result["statuses"]) <= {"200", "401", "503"}, done.stdout[-4000:]
    assert result["statuses"]["200"] >= 1
    assert result["statuses"]["401"] >= 1
    assert result["told_when"]
    assert result["grown"] < (os.cpu_count() or 1) * ARGON2_MIB, result
