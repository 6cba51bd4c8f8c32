"""Sessions: rotation, reuse, revocation, races."""

import asyncio
from datetime import timedelta

import pytest
from pymongo.asynchronous.collection import AsyncCollection

from grove.core.clock import now
from grove.core.ids import new_id
from grove.messaging.revocation import TokenQuestion
from grove.testing.http import client_of
from grove_auth.main import build
from grove_auth.sessions import replay
from grove_auth.sessions.device import describe

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"


async def test_an_answer_to_login_is_whole(ada, resources, outside):
    assert set(ada.tokens) == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "refresh_expires_in",
        "csrf_token",
        "session_id",
    }
    assert (ada.tokens["expires_in"], ada.tokens["token_type"]) == (900, "Bearer")
    principal = await resources.authenticator.verifier.verify(ada.tokens["access_token"])
    assert principal.session_id == ada.tokens["session_id"]
    assert principal.has("tasks:write")
    assert not principal.has("users:read")
    started = (await outside.events())[-1]
    assert (started.type, started.data["ip"]) == ("auth.session.started.v1", "203.0.113.0")


async def test_unknown_and_wrong_get_the_same_answer(ada, stranger):
    wrong, unknown = await ada.login(password="wrong wrong wrong"), await stranger.login()
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["error"] == unknown.json()["error"]
    assert wrong.json()["error"]["code"] == "INVALID_CREDENTIALS"
    assert "www-authenticate" in wrong.headers


async def test_refresh_rotates_and_the_parent_gets_the_same_answer_for_a_moment(ada):
    parent = ada.tokens["refresh_token"]
    first = (await ada.refresh()).json()
    assert first["refresh_token"] != parent
    again = await ada.refresh(parent)
    assert again.json() == first
    assert (await ada.refresh(first["refresh_token"])).status_code == 200


async def test_parallel_refreshes_have_one_successor(ada, resources):
    answers = await asyncio.gather(*(ada.refresh() for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert await resources.database["spent_tokens"].count_documents({}) == 1


async def test_the_grace_window_is_capped_in_count(ada):
    parent = ada.tokens["refresh_token"]
    await ada.refresh()
    answers = [(await ada.refresh(parent)).status_code for _ in range(11)]
    assert answers == [200] * 10 + [401]


@pytest.mark.parametrize("age", ["parent", "grandparent"])
async def test_a_rotated_token_used_later_ends_the_family(ada, resources, outside, age):
    parent = ada.tokens["refresh_token"]
    newest = (await ada.refresh()).json()["refresh_token"]
    if age == "grandparent":
        newest = (await ada.refresh(newest)).json()["refresh_token"]
    else:
        late = now() - timedelta(seconds=11)
        await resources.database["sessions"].update_many({}, {"$set": {"rotated_at": late}})
    assert (await ada.refresh(parent)).status_code == 401
    assert (await ada.refresh(newest)).status_code == 401
    assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).status_code == 401
    assert (await outside.facts())[-2:] == ["auth.session.reuse_detected.v1", "auth.session.ended.v1"]


async def test_an_unknown_refresh_token_is_just_refused(ada):
    assert (await ada.refresh("no-such-token")).json()["error"]["code"] == "INVALID_TOKEN"
    assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).status_code == 200


async def test_logout_against_refresh_never_revives_a_session(ada, resources):
    for _ in range(5):
        await ada.login()
        logout = ada.client.post(f"{AUTH}/logout", headers=ada.headers)
        refreshed, ended = await asyncio.gather(ada.refresh(), logout)
        assert ended.status_code == 204
        newest = refreshed.json().get("refresh_token", ada.tokens["refresh_token"])
        assert (await ada.refresh(newest)).status_code == 401
        assert await resources.database["sessions"].count_documents({"_id": ada.tokens["session_id"]}) == 0


async def test_logout_is_numbered_in_the_feed_and_told(ada, resources, outside):
    number = await resources.revocations.number()
    assert (await ada.client.post(f"{AUTH}/logout", headers=ada.headers)).status_code == 204
    snapshot = await resources.revocations.snapshot()
    assert snapshot.number == number + 1
    assert snapshot.entries[-1].key == ada.tokens["session_id"]
    assert snapshot.entries[-1].until > now() + timedelta(minutes=14)
    ended = (await outside.events())[-1]
    assert (ended.type, ended.data["reason"]) == ("auth.session.ended.v1", "logout")
    assert (await ada.client.post(f"{AUTH}/logout", headers=ada.headers)).status_code == 401


async def test_sessions_are_listed_and_ended(ada, stranger):
    first = dict(ada.tokens)
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    await ada.login(headers={"User-Agent": agent}, device_name="Desk")
    listed = (await ada.client.get(f"{AUTH}/sessions", headers=ada.headers)).json()["items"]
    assert [item["current"] for item in listed] == [True, False]
    assert listed[0]["device_name"] == "Desk"
    assert (listed[0]["browser"], listed[0]["os"], listed[0]["device_type"]) == ("Firefox", "Linux", "browser")
    assert (await ada.client.delete(f"{AUTH}/sessions/{first['session_id']}", headers=ada.headers)).status_code == 204
    assert (await ada.client.delete(f"{AUTH}/sessions/{first['session_id']}", headers=ada.headers)).status_code == 404
    await ada.login()
    assert (await ada.client.delete(f"{AUTH}/sessions/others", headers=ada.headers)).status_code == 204
    assert len((await ada.client.get(f"{AUTH}/sessions", headers=ada.headers)).json()["items"]) == 1
    assert (await ada.client.delete(f"{AUTH}/sessions/all", headers=ada.headers)).status_code == 204
    assert (await ada.client.get(f"{AUTH}/sessions", headers=ada.headers)).status_code == 401


async def test_another_users_session_is_404(ada, stranger):
    await stranger.register()
    await stranger.verify()
    await stranger.login()
    answer = await ada.client.delete(f"{AUTH}/sessions/{ada.tokens['session_id']}", headers=stranger.headers)
    assert answer.status_code == 404


async def test_lifetimes(ada, settings, resources):
    agents = {"browser": "Mozilla/5.0", "mobile": "Grove/1 CFNetwork/1 Darwin/24", "api_client": "curl/8"}
    for kind, agent in agents.items():
        answer = await ada.login(remember_me=True, headers={"User-Agent": agent})
        idle = getattr(settings, f"idle_hours_{kind}") * 3600
        assert answer.json()["refresh_expires_in"] == min(idle, 30 * 86400)
    assert (await ada.login()).json()["refresh_expires_in"] == 24 * 3600
    short = (await ada.login(refresh=False)).json()
    assert short["refresh_token"] is None
    assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).status_code == 200
    await ada.login()
    await resources.database["sessions"].update_many({}, {"$set": {"expires_at": now()}})
    assert (await ada.refresh()).status_code == 401


async def test_indexes_are_unique_and_expire(resources):
    sessions = await resources.database["sessions"].index_information()
    assert sessions["refresh_hash"]["unique"]
    assert sessions["expiry"]["expireAfterSeconds"] == 0
    assert (await resources.database["users"].index_information())["email"]["unique"]
    for name in ("registrations", "spent_tokens", "revocations"):
        assert (await resources.database[name].index_information())["expiry"]["expireAfterSeconds"] == 0
    assert resources.client.write_concern.document["w"] == "majority"


async def test_no_token_is_stored_in_clear(ada, resources):
    stored = str([await resources.database[name].find({}).to_list() for name in ("sessions", "users", "outbox")])
    for secret in (ada.tokens["refresh_token"], ada.tokens["access_token"], "plant trees"):
        assert secret not in stored


def test_a_replay_opens_with_its_own_token_only():
    sealed = replay.seal("answer", "token")
    assert replay.open_sealed(sealed, "token") == "answer"
    assert replay.open_sealed(sealed, "another") is None


def test_devices_are_guessed():
    assert describe("", None).name == "Unknown device"
    assert describe("curl/8.1", None).type == "api_client"
    assert describe("x", "My phone").name == "My phone"


async def test_what_services_ask_is_for_services_only(ada, settings, resources):
    app = build(settings, resources)
    principal = await resources.authenticator.principal(ada.tokens["access_token"])
    question = TokenQuestion.about(principal).model_dump(mode="json")
    async with client_of(app, peer="traefik") as edge:
        assert (await edge.post("/internal/v1/introspect", json=question)).status_code == 403
        assert (await edge.get("/internal/v1/revocations")).status_code == 403
    async with client_of(app, peer="resource") as service:
        assert (await service.post("/internal/v1/introspect", json=question)).json() == {"active": True}
        for part in ({"session_id": "other"}, {"signing_key_id": "other"}, {"global_version": -1}):
            answer = await service.post("/internal/v1/introspect", json=question | part)
            assert answer.json() == {"active": False}
        await resources.database["users"].update_many({}, {"$set": {"token_version": 2}})
        assert (await service.post("/internal/v1/introspect", json=question)).json() == {"active": False}
        assert (await service.get("/internal/v1/revocations")).json()["number"] >= 0


async def test_services_ask_about_many_tokens_at_once(ada, stranger, settings, resources, monkeypatch):
    """One answer each, in order, with as many looks into the store for some as for one."""
    await stranger.register()
    await stranger.verify()
    await stranger.login()
    made = {"name": "backup", "scopes": ["tasks:read"]}
    key = (await ada.client.post(f"{AUTH}/api-keys", json=made, headers=ada.headers)).json()["secret"]
    mine, theirs, of_key = [
        TokenQuestion.about(await resources.authenticator.principal(token)).model_dump(mode="json")
        for token in (ada.tokens["access_token"], stranger.tokens["access_token"], key)
    ]
    wrong: list[dict] = [
        mine | {"session_id": "other"},
        mine | {"session_id": theirs["session_id"]},
        mine | {"signing_key_id": "other"},
        mine | {"global_version": -1},
        mine | {"version": -1},
        of_key | {"token_id": "other"},
        of_key | {"user_id": theirs["user_id"]},
        of_key | {"api_key_id": str(new_id())},
    ]
    looks = []
    find = AsyncCollection.find
    monkeypatch.setattr(AsyncCollection, "find", lambda self, *a, **k: looks.append(self.name) or find(self, *a, **k))
    url, usual = "/internal/v1/introspect/batch", [mine, theirs, of_key]
    async with client_of(build(settings, resources), peer="traefik") as edge:
        assert (await edge.post(url, json={"questions": usual})).status_code == 403
    async with client_of(build(settings, resources), peer="notification") as service:

        async def active(questions: list[dict]) -> list[bool]:
            answer = await service.post(url, json={"questions": questions})
            assert answer.status_code == 200, answer.text
            return answer.json()["active"]

        looks.clear()
        assert await active([*usual, *wrong, *usual]) == [True] * 3 + [False] * 8 + [True] * 3
        assert looks.count("sessions") == 1
        assert looks.count("api_keys") == 1
        for one in wrong:
            single = await service.post("/internal/v1/introspect", json=one)
            assert single.json() == {"active": False}, "the same as when asked alone"
        assert await active([mine, wrong[0]] * 250) == [True, False] * 250
        assert (await service.post(url, json={"questions": [mine] * 501})).status_code == 422
        assert (await service.post(url, json={"questions": []})).status_code == 422
        await resources.database["sessions"].delete_one({"_id": mine["session_id"]})
        assert await active(usual) == [False, True, True]
        await resources.database["users"].update_many({}, {"$set": {"token_version": 2}})
        assert await active(usual) == [False, False, False]
