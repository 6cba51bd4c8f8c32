"""API keys: made by who just signed in, limited to some scopes, and dead with what made them."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now, rfc3339
from grove.security.api_keys import LENGTH, secret_hash
from grove.web.api_keys import KeyQuestion
from grove_auth.api_keys.rules import MOST

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
KEYS = f"{AUTH}/api-keys"
WANTED = {"name": "backup", "scopes": ["tasks:read", "account:read"]}
OTHER = "water them every evening"


async def make(person, **changes):
    return await person.client.post(KEYS, json=WANTED | changes, headers=person.headers)


async def made(person, **changes) -> dict:
    answer = await make(person, **changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def me(client, secret: str) -> int:
    return (await client.get(f"{AUTH}/me", headers=bearer(secret))).status_code


async def asked(resources, secret: str):
    """What another service learns about a key."""
    answer = await resources.key_bearers.answer(KeyQuestion(secret_hash=secret_hash(secret).hex()))
    return answer.bearer


async def entries(resources, kind: str) -> list[str]:
    return [entry.key for entry in (await resources.revocations.snapshot()).entries if entry.kind == kind]


async def age_sign_in(resources) -> None:
    await resources.database["sessions"].update_many({}, {"$set": {"auth_time": now() - timedelta(minutes=6)}})


async def test_a_key_is_shown_once_listed_and_works(ada, resources, outside):
    key = await made(ada)
    assert len(key["secret"]) == LENGTH
    assert key["secret"].startswith(key["hint"])
    assert (key["scopes"], key["expires_at"], key["last_used_at"]) == (["account:read", "tasks:read"], None, None)
    assert await me(ada.client, key["secret"]) == 200
    [listed] = (await ada.client.get(KEYS, headers=ada.headers)).json()["items"]
    assert listed["last_used_at"] is not None
    assert "secret" not in listed
    assert key["secret"] not in str(await resources.database["api_keys"].find({}).to_list())
    [told] = [event for event in await outside.events() if event.type == "auth.api_key.created.v1"]
    assert (told.data["name"], told.data["hint"]) == ("backup", key["hint"])
    assert key["secret"] not in str(told)
    audited = await resources.audit_database["audit_events"].find({"action": "api_key.created"}).to_list()
    assert len(audited) == 1
    assert "backup" not in str(audited)


async def test_what_needs_a_session_is_closed_to_keys(ada):
    secret = (await made(ada))["secret"]
    for method, path, body in (
        ("GET", "/sessions", None),
        ("DELETE", "/sessions/all", None),
        ("POST", "/logout", None),
        ("PATCH", "/me", {"locale": "de"}),
        ("DELETE", "/me", None),
        ("POST", "/change-password", {"current_password": "plant trees not walls", "new_password": OTHER}),
        ("POST", "/reauthenticate", {"password": "plant trees not walls"}),
        ("GET", "/api-keys", None),
        ("POST", "/api-keys", WANTED),
    ):
        answer = await ada.client.request(method, f"{AUTH}{path}", json=body, headers=bearer(secret))
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN"), path
    narrow = (await made(ada, scopes=["tasks:read"]))["secret"]
    assert await me(ada.client, narrow) == 403


@pytest.mark.parametrize("scopes", [["users:read"], ["tasks:read", "account:write"], ["nonsense"], [], ["x" * 61]])
async def test_a_key_has_only_scopes_of_its_user_and_no_permissions(ada, resources, scopes):
    await resources.database["users"].update_one({"email": ada.email}, {"$set": {"roles": ["user", "admin"]}})
    await ada.login()
    assert (await make(ada, scopes=scopes)).status_code == 422


async def test_scopes_that_its_user_lost_are_lost_to_the_key(ada, resources):
    secret = (await made(ada))["secret"]
    await resources.database["users"].update_one({"email": ada.email}, {"$set": {"roles": []}})
    assert (await asked(resources, secret)).scopes == []


async def test_making_and_rotating_need_step_up(ada, resources):
    key = await made(ada)
    await age_sign_in(resources)
    await ada.refresh()
    ada.tokens = (await ada.refresh()).json()
    for answer in (
        await make(ada),
        await ada.client.post(f"{KEYS}/{key['id']}/rotate", json={}, headers=ada.headers),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "REAUTH_REQUIRED")
    assert (await ada.client.delete(f"{KEYS}/{key['id']}", headers=ada.headers)).status_code == 204


async def test_rotation_without_overlap_ends_the_old_secret_at_once(ada, resources):
    key = await made(ada)
    rotated = (await ada.client.post(f"{KEYS}/{key['id']}/rotate", json={}, headers=ada.headers)).json()
    assert (rotated["id"], rotated["old_until"]) == (key["id"], None)
    assert rotated["secret"] != key["secret"]
    assert [await me(ada.client, secret) for secret in (key["secret"], rotated["secret"])] == [401, 200]
    assert len(await entries(resources, "api_key")) == 1


async def test_rotation_with_overlap_keeps_one_old_secret_for_so_long(ada, resources):
    key = await made(ada)
    secrets = [key["secret"]]
    for _ in range(2):
        answer = await ada.client.post(f"{KEYS}/{key['id']}/rotate", json={"overlap_hours": 24}, headers=ada.headers)
        secrets.append(answer.json()["secret"])
    assert [await me(ada.client, secret) for secret in secrets] == [401, 200, 200]
    before = await asked(resources, secrets[1])
    assert before.expires_at <= now() + timedelta(hours=1), "a stream that was opened with it does not outlive it"
    await resources.database["api_keys"].update_many({}, {"$set": {"old_until": now()}})
    assert await asked(resources, secrets[1]) is None
    assert await me(ada.client, secrets[1]) == 401, "though auth's own answer is cached"
    assert await me(ada.client, secrets[2]) == 200
    too_long = await ada.client.post(f"{KEYS}/{key['id']}/rotate", json={"overlap_hours": 25}, headers=ada.headers)
    assert too_long.status_code == 422


async def test_of_parallel_rotations_one_wins(ada):
    key = await made(ada)
    url = f"{KEYS}/{key['id']}/rotate"
    answers = await asyncio.gather(
        *(ada.client.post(url, json={"overlap_hours": 1}, headers=ada.headers) for _ in range(6))
    )
    won = [answer.json()["secret"] for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 409}
    working = [secret for secret in won if await me(ada.client, secret) == 200]
    assert len(working) == min(2, len(won))
    assert await me(ada.client, key["secret"]) == (200 if len(won) == 1 else 401)


async def test_a_deleted_key_is_dead_and_told(ada, outside, resources, client):
    key = await made(ada)
    assert await me(client, key["secret"]) == 200
    url = f"{KEYS}/{key['id']}"
    assert (await client.delete(url, headers=ada.headers)).status_code == 204
    assert await me(client, key["secret"]) == 401
    assert (await client.delete(url, headers=ada.headers)).status_code == 404
    assert (await client.get(KEYS, headers=ada.headers)).json()["items"] == []
    assert (await outside.facts())[-1] == "auth.api_key.deleted.v1"
    assert len(await entries(resources, "api_key")) == 1


async def test_keys_of_others_are_not_there(ada, client, outside, stranger):
    key = await made(ada)
    await stranger.register()
    await stranger.verify()
    await stranger.login()
    assert (await client.get(KEYS, headers=stranger.headers)).json()["items"] == []
    assert (await client.delete(f"{KEYS}/{key['id']}", headers=stranger.headers)).status_code == 404
    rotated = await client.post(f"{KEYS}/{key['id']}/rotate", json={}, headers=stranger.headers)
    assert rotated.status_code == 404
    assert await me(client, key["secret"]) == 200


async def test_an_expired_key_is_dead_and_makes_room(ada, resources, client):
    past = await make(ada, expires_at=rfc3339(now() - timedelta(minutes=1)))
    assert past.status_code == 422
    key = await made(ada, expires_at=rfc3339(now() + timedelta(hours=1)))
    assert await me(client, key["secret"]) == 200
    await resources.database["api_keys"].update_many({}, {"$set": {"expires_at": now()}})
    assert await me(client, key["secret"]) == 401
    assert await asked(resources, key["secret"]) is None
    assert (await client.get(KEYS, headers=ada.headers)).json()["items"] == []


async def test_a_changed_password_a_block_and_a_deletion_end_keys(ada, resources, client):
    key = await made(ada)
    changed = {"current_password": "plant trees not walls", "new_password": OTHER}
    answer = await client.post(f"{AUTH}/change-password", json=changed, headers=ada.headers)
    ada.tokens = answer.json()
    assert await me(client, key["secret"]) == 401
    rotated = await client.post(f"{KEYS}/{key['id']}/rotate", json={}, headers=ada.headers)
    assert rotated.status_code == 404, "a rotation revives nothing"
    key = await made(ada)
    until = {"$set": {"blocked_until": now() + timedelta(hours=1)}}
    assert await asked(resources, key["secret"]) is not None
    await resources.database["users"].update_one({"email": ada.email}, until)
    assert await asked(resources, key["secret"]) is None
    assert await me(client, key["secret"]) == 401
    assert (await client.delete(f"{AUTH}/me", headers=ada.headers)).status_code == 204
    assert await me(client, key["secret"]) == 401
    assert await resources.database["api_keys"].count_documents({}) == 0


async def test_there_are_at_most_twenty_also_when_made_at_once(ada, resources):
    await asyncio.gather(*(make(ada) for _ in range(MOST - 2)))
    answers = await asyncio.gather(*(make(ada) for _ in range(6)))
    assert sorted({answer.status_code for answer in answers}) == [201, 409]
    assert await resources.database["api_keys"].count_documents({}) == MOST


async def test_a_key_that_a_dying_token_asks_for_is_born_dead(ada, resources, client, monkeypatch):
    """The password changes after the gate let the request in and before the account is read."""
    from grove_auth.api_keys.service import ApiKeyService

    create = ApiKeyService.create

    async def late(self, principal, data):
        await resources.database["users"].update_one({"email": ada.email}, {"$inc": {"token_version": 1}})
        return await create(self, principal, data)

    monkeypatch.setattr(ApiKeyService, "create", late)
    answer = await make(ada)
    assert answer.status_code == 201
    assert await me(client, answer.json()["secret"]) == 401


async def test_the_last_use_is_kept_coarsely(ada, resources, client):
    key = await made(ada)
    await asked(resources, key["secret"])
    first = (await resources.database["api_keys"].find_one({}))["last_used_at"]
    await asked(resources, key["secret"])
    assert (await resources.database["api_keys"].find_one({}))["last_used_at"] == first
    await resources.database["api_keys"].update_many({}, {"$set": {"last_used_at": now() - timedelta(minutes=6)}})
    await asked(resources, key["secret"])
    assert (await resources.database["api_keys"].find_one({}))["last_used_at"] >= first


async def test_other_services_are_told_of_a_key_by_its_hash_only(ada, resources, client):
    secret = (await made(ada))["secret"]
    asked_without_certificate = await client.post(
        "/internal/v1/introspect-key", json={"secret_hash": secret_hash(secret).hex()}
    )
    assert asked_without_certificate.status_code == 403
    bearer_of = await asked(resources, secret)
    assert bearer_of.scopes == ["account:read", "tasks:read"]
    assert await asked(resources, secret[:-1]) is None
