"""Refresh tokens under races: one successor, and nothing that was ended lives again."""

import asyncio
from collections import Counter
from contextvars import ContextVar
from datetime import timedelta

import httpx2
import pymongo
import pytest

from grove.core.clock import now
from grove_auth.models import User
from grove_auth.sessions.schemas import SessionOptions
from grove_auth.sessions.service import SessionService
from grove_auth.sessions.tokens import SessionTokens

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
REVOKE_ALL_ROUNDS = 200
ROUNDS = 25


async def statuses(person, calls) -> Counter[int]:
    return Counter(answer.status_code for answer in await asyncio.gather(*calls))


async def fresh_session(resources, person) -> SessionTokens:
    """A session without the price of a password."""
    user = await User.find_one({"email": person.email})
    tokens = await SessionService(resources).start(user, SessionOptions(), ["pwd"])
    person.tokens = tokens.model_dump()
    return tokens


async def me(person, access_token: str) -> int:
    headers = {"Authorization": f"Bearer {access_token}"}
    return (await person.client.get(f"{AUTH}/me", headers=headers)).status_code


async def nothing_lives(person, resources, tokens: SessionTokens, refreshed) -> None:
    """Neither the session nor what a refresh answered with counts any more."""
    assert await resources.database["sessions"].count_documents({"_id": tokens.session_id}) == 0
    refresh_tokens, access_tokens = [tokens.refresh_token], [tokens.access_token]
    assert refreshed.status_code in {200, 401}
    if refreshed.status_code == 200:
        refresh_tokens.append(refreshed.json()["refresh_token"])
        access_tokens.append(refreshed.json()["access_token"])
    assert [await me(person, token) for token in access_tokens] == [401] * len(access_tokens)
    assert [(await person.refresh(token)).status_code for token in refresh_tokens] == [401] * len(refresh_tokens)
    assert await resources.database["sessions"].count_documents({"_id": tokens.session_id}) == 0


PATIENCE_SECONDS = 60


@pytest.fixture
def all_at_once(resources, monkeypatch):
    """Answers to calls that begin together: await all_at_once(calls).

    However slow the machine: the store gives up on none, and the window of a rotated token stays open.
    """
    monkeypatch.setattr("grove.mongo.client.TRANSACTION_SECONDS", PATIENCE_SECONDS)
    settings = resources.settings.model_copy(update={"refresh_grace_seconds": 3600})
    monkeypatch.setattr(resources, "settings", settings)

    async def answers(calls) -> list[httpx2.Response]:
        with pymongo.timeout(PATIENCE_SECONDS):
            return await asyncio.gather(*calls)

    return answers


async def test_sixty_parallel_refreshes_have_one_successor_and_a_capped_number_of_answers(
    ada, resources, settings, all_at_once
):
    parent = ada.tokens["refresh_token"]
    answers = await all_at_once(ada.refresh(parent) for _ in range(60))
    good = [answer.json() for answer in answers if answer.status_code == 200]
    assert Counter(answer.status_code for answer in answers) == {200: len(good), 401: 60 - len(good)}
    assert 1 <= len(good) <= 1 + settings.refresh_grace_uses
    assert len({answer["refresh_token"] for answer in good}) == len({answer["access_token"] for answer in good}) == 1
    assert await resources.database["spent_tokens"].count_documents({}) == 1
    assert (await ada.refresh(good[0]["refresh_token"])).status_code == 401, "more than a lost answer explains: a theft"
    assert await me(ada, good[0]["access_token"]) == 401
    assert await resources.database["sessions"].count_documents({}) == 0


async def test_as_many_parallel_refreshes_as_the_window_allows_all_get_the_same(ada, resources, settings, all_at_once):
    parent = ada.tokens["refresh_token"]
    answers = await all_at_once(ada.refresh(parent) for _ in range(1 + settings.refresh_grace_uses))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert await resources.database["spent_tokens"].count_documents({}) == 1
    assert (await ada.refresh(answers[0].json()["refresh_token"])).status_code == 200


async def test_fifty_sessions_refreshed_at_once_do_not_disturb_each_other(ada, resources, all_at_once):
    sessions = [await fresh_session(resources, ada) for _ in range(50)]
    answers = await all_at_once(ada.refresh(tokens.refresh_token) for tokens in sessions)
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json()["session_id"] for answer in answers] == [tokens.session_id for tokens in sessions]
    assert len({answer.json()["refresh_token"] for answer in answers}) == 50


async def test_refresh_against_revoke_all_never_leaves_anything_alive(ada, resources):
    for number in range(REVOKE_ALL_ROUNDS):
        tokens = await fresh_session(resources, ada)
        revoke = ada.client.delete(f"{AUTH}/sessions/all", headers=ada.headers)
        calls = [ada.refresh(), revoke] if number % 2 else [revoke, ada.refresh()]
        answers = await asyncio.gather(*calls)
        refreshed, revoked = answers if number % 2 else reversed(answers)
        assert revoked.status_code == 204
        await nothing_lives(ada, resources, tokens, refreshed)
    assert await resources.database["sessions"].count_documents({}) == 0


@pytest.fixture
def one_after_the_other(resources, monkeypatch):
    """Answers to two calls, both under way, of which the first commits first: await one_after_the_other(one, two)."""
    transaction, place = resources.transaction, ContextVar("place")
    second_waits, first_is_done = asyncio.Event(), asyncio.Event()

    async def in_order(work):
        if place.get() == "second":
            second_waits.set()
            await first_is_done.wait()
            return await transaction(work)
        await second_waits.wait()
        result = await transaction(work)
        first_is_done.set()
        return result

    async def placed(name: str, call) -> httpx2.Response:
        place.set(name)
        return await call

    async def answers(one, two) -> list[httpx2.Response]:
        monkeypatch.setattr(resources, "transaction", in_order)
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await asyncio.gather(placed("first", one), placed("second", two))
        monkeypatch.setattr(resources, "transaction", transaction)
        return found

    return answers


@pytest.mark.parametrize("refresh_first", [True, False])
async def test_whichever_of_refresh_and_revoke_all_commits_first_nothing_is_left_alive(
    ada, resources, one_after_the_other, refresh_first
):
    tokens = await fresh_session(resources, ada)
    calls = [ada.refresh(), ada.client.delete(f"{AUTH}/sessions/all", headers=ada.headers)]
    answers = await one_after_the_other(*(calls if refresh_first else reversed(calls)))
    refreshed, revoked = answers if refresh_first else reversed(answers)
    assert (refreshed.status_code, revoked.status_code) == (200 if refresh_first else 401, 204)
    await nothing_lives(ada, resources, tokens, refreshed)


async def test_refresh_against_logout_never_leaves_anything_alive(ada, resources):
    for number in range(ROUNDS):
        tokens = await fresh_session(resources, ada)
        logout = ada.client.post(f"{AUTH}/logout", headers=ada.headers)
        calls = [ada.refresh(), logout] if number % 2 else [logout, ada.refresh()]
        answers = await asyncio.gather(*calls)
        refreshed, ended = answers if number % 2 else reversed(answers)
        assert ended.status_code == 204
        await nothing_lives(ada, resources, tokens, refreshed)


@pytest.fixture
async def admin(client, outside, stranger, resources):
    """Somebody who may block."""
    assert (await stranger.register()).status_code == 202
    assert (await stranger.verify()).status_code == 204
    await resources.database["users"].update_one({"email": stranger.email}, {"$set": {"roles": ["user", "admin"]}})
    assert (await stranger.login()).status_code == 200
    return stranger


async def test_refresh_against_block_never_leaves_anything_alive(ada, admin, resources):
    user = await User.find_one({"email": ada.email})
    url = f"{AUTH}/admin/users/{user.id}"
    for _ in range(ROUNDS):
        tokens = await fresh_session(resources, ada)
        block = admin.client.post(f"{url}/block", json={"reason": "spam"}, headers=admin.headers)
        refreshed, blocked = await asyncio.gather(ada.refresh(), block)
        assert blocked.status_code == 200
        await nothing_lives(ada, resources, tokens, refreshed)
        assert (await admin.client.post(f"{url}/unblock", headers=admin.headers)).status_code == 200
        await nothing_lives(ada, resources, tokens, refreshed)


async def test_refreshes_that_race_with_a_reuse_end_with_the_family(ada, resources):
    for _ in range(ROUNDS):
        tokens = await fresh_session(resources, ada)
        parent, newest = tokens.refresh_token, (await ada.refresh()).json()["refresh_token"]
        late = now() - timedelta(seconds=11)
        await resources.database["sessions"].update_many({}, {"$set": {"rotated_at": late}})
        reused, refreshed = await asyncio.gather(ada.refresh(parent), ada.refresh(newest))
        if reused.status_code == 200:  # the other one was first, and this one came within its window
            raise AssertionError("a grandparent got an answer")
        await nothing_lives(ada, resources, tokens, refreshed)


async def test_what_has_expired_vanishes_from_the_store(ada, stranger, resources):
    """The store's own sweep, not ours: at most a minute late on a server with its usual period."""
    await ada.refresh()
    await stranger.register()
    await ada.client.post(f"{AUTH}/request-password-reset", json={"email": ada.email})
    await ada.client.post(f"{AUTH}/passkeys/login/options")
    names = ("sessions", "spent_tokens", "registrations", "password_resets", "passkey_challenges")
    for name in names:
        assert await resources.database[name].count_documents({}) == 1, name
    await fresh_session(resources, ada)
    for name in names:
        [oldest] = await resources.database[name].find({}).sort("_id", 1).limit(1).to_list()
        await resources.database[name].update_one({"_id": oldest["_id"]}, {"$set": {"expires_at": now()}})
    async with asyncio.timeout(70):
        while sum([await resources.database[name].count_documents({}) for name in names]) > 1:
            await asyncio.sleep(0.5)
    assert await me(ada, ada.tokens["access_token"]) == 200, "what has not expired stays"
