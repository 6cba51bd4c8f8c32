"""Changing, resetting and proving passwords: what ends, what stays, races."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from grove.core.clock import now

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
PASSWORD = "plant trees not walls"
OTHER = "water them every evening"


async def change(person, new: str = OTHER, current: str = PASSWORD):
    body = {"current_password": current, "new_password": new}
    return await person.client.post(f"{AUTH}/change-password", json=body, headers=person.headers)


async def forget(person):
    return await person.client.post(f"{AUTH}/request-password-reset", json={"email": person.email})


async def reset(person, token: str, new: str = OTHER):
    return await person.client.post(f"{AUTH}/reset-password", json={"token": token, "new_password": new})


async def mailed_token(outside) -> str:
    mail = (await outside.mails())[-1]
    assert mail["template"] == "reset_password"
    return mail["variables"]["token"]


async def me(person) -> int:
    return (await person.client.get(f"{AUTH}/me", headers=person.headers)).status_code


async def test_a_changed_password_ends_all_other_sessions_and_goes_on_with_new_tokens(ada, resources, outside):
    other, mine = (await ada.login()).json(), (await ada.login()).json()
    answer = await change(ada)
    assert answer.status_code == 200
    fresh = answer.json()
    assert fresh["session_id"] == mine["session_id"]
    ada.tokens = other
    assert await me(ada) == 401
    assert (await ada.refresh()).status_code == 401
    ada.tokens = mine
    assert await me(ada) == 401
    ada.tokens = fresh
    assert await me(ada) == 200
    assert (await ada.refresh()).status_code == 200
    assert (await ada.login()).status_code == 401
    assert (await ada.login(password=OTHER)).status_code == 200
    facts = [event for event in await outside.events() if event.type == "auth.user.password_changed.v1"]
    assert [fact.data["how"] for fact in facts] == ["changed"]
    numbers = [event.sequence for event in await outside.events() if event.type != "auth.mail.requested.v1"]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    [entry] = [e for e in (await resources.revocations.snapshot()).entries if e.kind == "user"]
    assert entry.minimum == 2


@pytest.mark.parametrize(
    ("current", "new", "status", "code"),
    [
        ("wrong wrong wrong", OTHER, 401, "INVALID_CREDENTIALS"),
        (PASSWORD, "short", 422, "VALIDATION_ERROR"),
        (PASSWORD, "passwordpassword", 422, "VALIDATION_ERROR"),
        (PASSWORD, PASSWORD, 422, "VALIDATION_ERROR"),
    ],
)
async def test_a_refused_change_changes_nothing(ada, outside, current, new, status, code):
    before = len(await outside.events())
    answer = await change(ada, new, current)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    if status == 422:
        assert answer.json()["error"]["details"][0]["field"] == "body.new_password"
    assert len(await outside.events()) == before
    assert await me(ada) == 200
    assert (await ada.login()).status_code == 200


async def test_the_last_five_passwords_are_not_taken_again(ada):
    used = [PASSWORD, *(f"{word} grows in the garden" for word in ("basil", "thyme", "sage", "mint", "dill"))]
    for current, new in itertools.pairwise(used):
        ada.tokens = (await change(ada, new, current)).json()
    assert (await change(ada, used[1], used[-1])).status_code == 422
    assert (await change(ada, used[0], used[-1])).status_code == 200


async def test_of_parallel_changes_one_holds(ada):
    words = ("basil", "thyme", "sage", "mint", "dill", "rosemary")
    answers = await asyncio.gather(*(change(ada, f"{word} grows in the garden") for word in words))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5
    [(word, answer)] = [(w, a) for w, a in zip(words, answers, strict=True) if a.status_code == 200]
    ada.tokens = answer.json()
    assert await me(ada) == 200
    assert (await ada.login(password=f"{word} grows in the garden")).status_code == 200


async def test_no_session_of_the_old_password_survives_its_change(ada, resources):
    """Sign-ins and refreshes race the change, which ends what began before it."""
    current = PASSWORD
    for number in range(12):
        await ada.login(password=current)
        mine, new = ada.tokens, f"{number} trees grow in the garden"
        changed, *_ = await asyncio.gather(
            change(ada, new, current),
            *(ada.client.post(f"{AUTH}/login", json={"email": ada.email, "password": current}) for _ in range(4)),
            ada.refresh(mine["refresh_token"]),
        )
        assert changed.status_code == 200, changed.text
        sessions = await resources.database["sessions"].find({}).to_list()
        assert [session["_id"] for session in sessions] == [mine["session_id"]]
        ada.tokens = changed.json()
        assert (await ada.refresh()).status_code == 200
        current = new


async def test_a_refresh_just_behind_a_change_is_refused_and_ends_nothing(ada, outside):
    parent = ada.tokens["refresh_token"]
    fresh = (await change(ada)).json()
    assert (await ada.refresh(parent)).status_code == 401
    ada.tokens = fresh
    assert await me(ada) == 200
    assert "auth.session.reuse_detected.v1" not in await outside.facts()


async def test_a_mailed_link_sets_a_password_once_and_ends_all_sessions(ada, outside):
    assert (await forget(ada)).status_code == 202
    token = await mailed_token(outside)
    assert (await reset(ada, token, "short")).status_code == 422
    answers = await asyncio.gather(*(reset(ada, token) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [204, 410, 410, 410, 410]
    assert await me(ada) == 401
    assert (await ada.refresh()).status_code == 401
    assert (await ada.login()).status_code == 401
    assert (await ada.login(password=OTHER)).status_code == 200
    changed = [event for event in await outside.events() if event.type == "auth.user.password_changed.v1"]
    assert [event.data["how"] for event in changed] == ["reset"]


async def test_a_newer_link_takes_the_place_of_the_older(ada, outside):
    await forget(ada)
    older = await mailed_token(outside)
    await forget(ada)
    newer = await mailed_token(outside)
    assert (await reset(ada, older)).status_code == 410
    assert (await reset(ada, newer)).status_code == 204


async def test_a_link_dies_with_its_time_and_with_another_change(ada, outside, resources):
    await forget(ada)
    late = await mailed_token(outside)
    [stored] = await resources.database["password_resets"].find({}).to_list()
    assert timedelta(minutes=14) < stored["expires_at"] - now() <= timedelta(minutes=15)
    assert late.encode() not in stored["_id"]
    await resources.database["password_resets"].update_many({}, {"$set": {"expires_at": now()}})
    assert (await reset(ada, late)).status_code == 410
    await forget(ada)
    token = await mailed_token(outside)
    ada.tokens = (await change(ada)).json()
    assert (await reset(ada, token, "a third one that is long")).status_code == 410


async def test_an_unknown_address_gets_the_same_answer_and_no_mail(ada, stranger, outside, resources):
    before = len(await outside.mails())
    unknown = await forget(stranger)
    known = await forget(ada)
    assert (unknown.status_code, unknown.content) == (known.status_code, known.content) == (202, b"")
    assert len(await outside.mails()) == before + 1
    stored = await resources.database["password_resets"].find({}).to_list()
    assert len(stored) == 3, "a link each, and one that is over in place of the mail"
    assert sum(link["expires_at"] > now() for link in stored) == 2


async def test_proving_who_one_is_renews_the_sign_in(ada, resources):
    aged = {"$set": {"auth_time": now() - timedelta(hours=1)}}
    await resources.database["sessions"].update_many({}, aged)
    ada.tokens = (await ada.refresh()).json()
    assert (await ada.client.delete(f"{AUTH}/me", headers=ada.headers)).status_code == 401
    url = f"{AUTH}/reauthenticate"
    refused = await ada.client.post(url, json={"password": "wrong wrong wrong"}, headers=ada.headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")
    answer = await ada.client.post(url, json={"password": PASSWORD}, headers=ada.headers)
    assert (answer.status_code, set(answer.json())) == (200, {"access_token", "token_type", "expires_in"})
    refreshed = (await ada.refresh()).json()
    principal = await resources.authenticator.verifier.verify(refreshed["access_token"])
    assert now() - principal.auth_time < timedelta(minutes=1), "a refresh keeps the moment of proof"
    ada.tokens |= answer.json()
    assert (await ada.client.delete(f"{AUTH}/me", headers=ada.headers)).status_code == 204
