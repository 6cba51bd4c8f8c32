"""Guessing passwords: counted before they are checked, alike for everybody, and over after ten in a row."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove_auth.lockout.repository import NEVER
from grove_auth.passwords.hasher import CORES

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
WRONG = "guess a tree or two"
OTHER = "water them every evening"


async def guess(person, times: int) -> list[int]:
    return [(await person.login(password=WRONG)).status_code for _ in range(times)]


async def expire_lock(resources) -> None:
    await resources.database["password_attempts"].update_many({}, {"$set": {"locked_until": NEVER}})


async def locked_for(resources) -> timedelta:
    """The longest lock of any address."""
    found = await resources.database["password_attempts"].find({}).to_list()
    return max(attempts["locked_until"] - now() for attempts in found)


async def test_ten_in_a_row_lock_and_a_right_password_gets_the_same_answer(ada, stranger, outside, resources):
    assert await guess(ada, 9) == [401] * 9
    assert (await ada.login()).status_code == 200, "a right one begins anew"
    assert await guess(ada, 10) == [401] * 10
    locked, unknown = await ada.login(), await stranger.login()
    assert (locked.status_code, locked.json()["error"]) == (401, unknown.json()["error"])
    assert timedelta(minutes=59) < await locked_for(resources) <= timedelta(hours=1)
    [told] = [event for event in await outside.events() if event.type == "auth.login.locked.v1"]
    assert (told.data["failures"], told.data["until"] is not None) == (10, True)
    assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).status_code == 200, "who is signed in stays so"


async def test_locks_grow_and_a_hundred_need_a_reset(ada, outside, resources):
    hours = []
    for _ in range(10):
        await guess(ada, 10)
        hours.append(round((await locked_for(resources)) / timedelta(hours=1)))
        await guess(ada, 3)  # not counted while it is locked
        if len(hours) < 10:
            await expire_lock(resources)
    assert hours[:9] == [2**n for n in range(9)]
    assert hours[9] > 24 * 365 * 1000
    told = [event.data["until"] for event in await outside.events() if event.type == "auth.login.locked.v1"]
    assert len(told) == 10
    assert told[-1] is None
    assert (await ada.login()).status_code == 401
    await ada.client.post(f"{AUTH}/request-password-reset", json={"email": ada.email})
    token = (await outside.mails())[-1]["variables"]["token"]
    reset = {"token": token, "new_password": OTHER}
    assert (await ada.client.post(f"{AUTH}/reset-password", json=reset)).status_code == 204
    assert (await ada.login(password=OTHER)).status_code == 200


async def test_parallel_guesses_gain_no_tries(ada, resources, monkeypatch):
    checked = []
    verify = resources.passwords.verify

    async def counting(password, stored):
        checked.append(stored is not None)
        return await verify(password, stored)

    monkeypatch.setattr(resources.passwords, "verify", counting)
    answers = await asyncio.gather(*(ada.login(password=WRONG) for _ in range(50)))
    assert checked.count(True) == 10
    assert {answer.status_code for answer in answers} <= {401, 503}
    assert await locked_for(resources) > timedelta(minutes=59)
    await expire_lock(resources)
    assert (await ada.login()).status_code == 200


async def test_a_lock_that_was_never_written_is_made_up_for(ada, resources):
    """The process died between the tenth try and its lock."""
    await guess(ada, 1)
    attempts = resources.database["password_attempts"]
    await attempts.update_many({}, {"$set": {"left": 0}})
    assert (await ada.login()).status_code == 503, "the last try may still be under way"
    assert await locked_for(resources) < timedelta(0)
    await attempts.update_many({}, {"$set": {"tried_at": now() - timedelta(minutes=2)}})
    assert (await ada.login()).status_code == 401
    assert await locked_for(resources) > timedelta(minutes=59)
    await expire_lock(resources)
    assert (await ada.login()).status_code == 200


async def test_many_sign_ins_of_one_user_at_once_lock_nothing(ada, resources, slow_hashes, monkeypatch):
    """Some are told to wait; none is refused."""
    monkeypatch.setattr(resources.passwords.turns, "most", CORES)  # one less than are at work at once
    answers = await asyncio.gather(*(ada.login() for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200, 503}
    monkeypatch.undo()
    assert (await ada.login()).status_code == 200
    assert await resources.database["password_attempts"].count_documents({}) == 0


async def test_a_try_that_was_told_to_wait_is_not_counted(ada, resources, monkeypatch):
    monkeypatch.setattr(resources.passwords.turns, "most", 0)
    assert [(await ada.login()).status_code for _ in range(12)] == [503] * 12
    monkeypatch.undo()
    assert (await ada.login()).status_code == 200


async def test_unknown_addresses_are_counted_alike(stranger, resources, outside):
    await guess(stranger, 11)
    assert await locked_for(resources) > timedelta(minutes=59)
    assert "auth.login.locked.v1" not in await outside.facts()


@pytest.mark.parametrize("route", ["change-password", "reauthenticate"])
async def test_a_stolen_token_does_not_help_to_guess(ada, resources, route):
    body = {"current_password": WRONG, "new_password": OTHER} if route == "change-password" else {"password": WRONG}
    for _ in range(10):
        refused = await ada.client.post(f"{AUTH}/{route}", json=body, headers=ada.headers)
        assert refused.status_code == 401
    assert await locked_for(resources) > timedelta(minutes=59)
