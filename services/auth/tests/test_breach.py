"""After a breach: everything that was given out ends at once; keys rotate without refusing a valid token."""

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from joserfc.jws import extract_compact

from grove.core.clock import now
from grove_auth.keys.rotation import MARGIN, KeyRotation
from grove_auth.resources import Resources
from grove_auth.token_versions.service import TokenVersionService

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("one_key_is_left")]
AUTH = "/api/v1/auth"
RAISE = f"{AUTH}/admin/token-version"
ROTATE = f"{AUTH}/admin/keys/rotate"


@pytest.fixture
async def admin(ada, resources):
    await resources.database["users"].update_one({"email": ada.email}, {"$set": {"roles": ["user", "admin"]}})
    await ada.login()
    return ada


@pytest.fixture
async def user(client, outside, stranger):
    await stranger.register()
    await stranger.verify()
    await stranger.login()
    return stranger


@asynccontextmanager
async def another_process(settings):
    """Auth's resources in another replica, with caches of their own. Not started: that binds the documents anew."""
    other = Resources(settings)
    try:
        yield other
    finally:
        await other.aclose()


async def me(person, token: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else person.headers
    return (await person.client.get(f"{AUTH}/me", headers=headers)).status_code


async def secret_of(person) -> str:
    body = {"name": "backup", "scopes": ["account:read"]}
    return (await person.client.post(f"{AUTH}/api-keys", json=body, headers=person.headers)).json()["secret"]


async def entries(resources, kind: str) -> list:
    return [entry for entry in (await resources.revocations.snapshot()).entries if entry.kind == kind]


def key_id(token: str) -> str:
    return extract_compact(token.encode()).headers()["kid"]


async def soon(condition) -> None:
    """No try that begins a second after this or later fails; how long a try takes is the machine's."""
    ended = time.monotonic()
    while True:
        begun = time.monotonic()
        if await condition():
            return
        assert begun - ended < 1, "a request that began a second later went as before"
        await asyncio.sleep(0.02)


async def test_raising_the_version_ends_tokens_sessions_and_keys_of_everybody(admin, user, resources):
    secret = await secret_of(user)
    parent = user.tokens["refresh_token"]
    user.tokens = (await user.refresh()).json()
    raised = await admin.client.post(RAISE, headers=admin.headers)
    assert raised.status_code == 200
    [entry] = await entries(resources, "global")
    assert entry.minimum == raised.json()["version"] == await resources.token_versions.current()
    for person, token in ((admin, None), (user, None), (user, secret)):
        assert await me(person, token) == 401
    for token in (user.tokens["refresh_token"], parent, admin.tokens["refresh_token"]):
        refused = await user.refresh(token)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "INVALID_TOKEN")
    await user.login()
    assert await me(user) == 200
    assert (await user.refresh()).status_code == 200
    assert await me(user, await secret_of(user)) == 200
    listed = await user.client.get(f"{AUTH}/sessions", headers=user.headers)
    assert [session["current"] for session in listed.json()["items"]] == [True]
    [audited] = await resources.audit_database["audit_events"].find({"action": "token_version.raised"}).to_list()
    assert audited["entry"]["actor_id"] is not None


@pytest.mark.parametrize("route", [RAISE, ROTATE])
async def test_only_by_permission_and_step_up(admin, user, resources, route):
    assert (await user.client.post(route, json={}, headers=user.headers)).status_code == 403
    await resources.database["sessions"].update_many({}, {"$set": {"auth_time": now() - timedelta(minutes=6)}})
    admin.tokens = (await admin.refresh()).json()
    refused = await admin.client.post(route, json={}, headers=admin.headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "REAUTH_REQUIRED")


async def test_another_replica_refuses_within_a_second(ada, settings, resources):
    assert await me(ada) == 200
    async with another_process(settings) as other:
        principal = await other.authenticator.principal(ada.tokens["access_token"])
        await TokenVersionService(resources).increase()

        async def refused() -> bool:
            return not await other.gate.admits(principal)

        await soon(refused)


async def test_a_sign_in_that_races_the_raise_gives_out_nothing_older_that_lives(ada, resources):
    versions = TokenVersionService(resources)
    for _ in range(8):
        raised, *answers = await asyncio.gather(versions.increase(), *(ada.login() for _ in range(4)))
        for answer in answers:
            tokens = answer.json()
            claims = await resources.authenticator.verifier.verify(tokens["access_token"])
            alive = claims.global_version == raised
            assert (await me(ada, tokens["access_token"]) == 200) == alive
            assert ((await ada.refresh(tokens["refresh_token"])).status_code == 200) == alive


async def test_a_refresh_that_races_the_raise_gives_out_nothing_that_lives(ada, resources):
    versions = TokenVersionService(resources)
    for _ in range(8):
        await ada.login()
        _, answer = await asyncio.gather(versions.increase(), ada.refresh())
        if answer.status_code == 200:
            assert await me(ada, answer.json()["access_token"]) == 401
            assert (await ada.refresh(answer.json()["refresh_token"])).status_code == 401


async def test_the_old_key_goes_when_the_last_token_it_signed_is_dead(admin, client, settings, resources):
    rotated = await client.post(ROTATE, json={}, headers=admin.headers)
    assert rotated.status_code == 200
    new, old = rotated.json()["items"]
    assert (new["state"], old["state"]) == ("next", "signing")
    again = await client.post(ROTATE, json={}, headers=admin.headers)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "CONFLICT")
    rotation = KeyRotation(resources)
    lead = timedelta(seconds=settings.signing_key_lead_seconds)
    last_token_dies = now() + lead + timedelta(minutes=settings.access_token_minutes)
    await rotation.remove_old(last_token_dies)
    assert await resources.database["signing_keys"].count_documents({}) == 2
    await asyncio.gather(*(rotation.remove_old(last_token_dies + MARGIN) for _ in range(2)))
    assert [key["_id"] for key in await resources.database["signing_keys"].find({}).to_list()] == [new["id"]]
    audited = await resources.audit_database["audit_events"].find({"action": "signing_key.removed"}).to_list()
    assert [entry["subject_id"] for entry in audited] == [old["id"]]


async def test_of_parallel_rotations_one_wins(admin, client, resources):
    answers = await asyncio.gather(*(client.post(ROTATE, json={}, headers=admin.headers) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    assert await resources.database["signing_keys"].count_documents({}) == 2


async def test_revoking_keys_kills_their_tokens_and_sessions_go_on(admin, user, client, settings, resources):
    await client.post(ROTATE, json={}, headers=admin.headers)
    before = {key.id for key in await resources.keys.published()}
    async with another_process(settings) as other:
        principal = await other.authenticator.principal(user.tokens["access_token"])
        assert key_id(user.tokens["access_token"]) == (await other.keys.signing()).id
        revoked = await client.post(ROTATE, json={"revoke": True}, headers=admin.headers)
        [new] = revoked.json()["items"]
        assert new["state"] == "signing"
        assert {entry.key for entry in await entries(resources, "signing_key")} == before

        async def signs_with_the_new_one_and_refuses_the_old() -> bool:
            signing = await other.keys.signing()
            return signing.id == new["id"] and not await other.gate.admits(principal)

        await soon(signs_with_the_new_one_and_refuses_the_old)
    assert await me(user) == await me(admin) == 401
    user.tokens = (await user.refresh()).json()
    assert key_id(user.tokens["access_token"]) == new["id"]
    assert await me(user) == 200
    [key] = (await client.get("/.well-known/jwks.json")).json()["keys"]
    assert key["kid"] == new["id"]
