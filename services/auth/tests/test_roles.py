"""Roles: what they permit reaches tokens, nobody goes beyond themselves, an administrator is always left."""

import asyncio
import json
from base64 import urlsafe_b64decode

import pytest

from grove_auth.roles.permissions import PERMISSIONS

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
ROLES = f"{AUTH}/admin/roles"
USERS = f"{AUTH}/admin/users"
SUPPORT = {"name": "support", "description": "Helps people.", "permissions": ["users:read", "users:write"], "rank": 5}


@pytest.fixture
async def roles(resources):
    """The built-in roles may change in the test."""
    yield resources.database["roles"]
    await resources.database["roles"].delete_many({})
    await resources.roles.seed()


@pytest.fixture
async def support(admin):
    """A role that manages users who rank below."""
    assert (await call(admin, "POST", ROLES, json=SUPPORT)).status_code == 201


@pytest.fixture
async def admin(person):
    return await person("admin")


async def call(actor, method: str, url: str, **kwargs):
    return await actor.client.request(method, url, headers=actor.headers, **kwargs)


async def give(actor, target, *roles: str):
    return await call(actor, "PATCH", f"{USERS}/{target.id}", json={"roles": ["user", *roles]})


def scopes(person) -> set[str]:
    payload = person.tokens["access_token"].split(".")[1]
    return set(json.loads(urlsafe_b64decode(payload + "=="))["scope"].split())


async def me(person) -> int:
    return (await call(person, "GET", f"{AUTH}/me")).status_code


async def audited(resources, action: str, outcome: str = "success") -> list[dict]:
    found = await resources.audit_database["audit_events"].find({"action": action}).sort("_id", 1).to_list()
    return [document["entry"] for document in found if document["entry"]["outcome"] == outcome]


async def test_seeding_again_changes_nothing_but_makes_admin_whole(roles, resources):
    await roles.update_one({"_id": "moderator"}, {"$set": {"permissions": ["audit:read"], "description": "Ours"}})
    await roles.update_one({"_id": "admin"}, {"$set": {"permissions": []}})
    before = await roles.find({"_id": {"$ne": "admin"}}).sort("_id", 1).to_list()
    await resources.roles.seed()
    assert await roles.find({"_id": {"$ne": "admin"}}).sort("_id", 1).to_list() == before
    whole = await roles.find_one({"_id": "admin"})
    assert whole["permissions"] == sorted(PERMISSIONS)
    await resources.roles.seed()
    assert await roles.find_one({"_id": "admin"}) == whole


async def test_a_role_is_made_read_changed_and_deleted(admin, resources):
    made = await call(admin, "POST", ROLES, json=SUPPORT)
    assert (made.status_code, made.json()["built_in"]) == (201, False)
    assert {name: made.json()[name] for name in SUPPORT} == SUPPORT
    assert (await call(admin, "POST", ROLES, json=SUPPORT)).status_code == 409
    assert (await call(admin, "GET", f"{ROLES}/support")).json() == made.json()
    changed = await call(admin, "PATCH", f"{ROLES}/support", json={"permissions": ["users:read"]})
    assert (changed.json()["permissions"], changed.json()["rank"]) == (["users:read"], 5)
    listed = (await call(admin, "GET", f"{ROLES}?sort=created_at&size=3")).json()
    assert ([role["name"] for role in listed["items"]], listed["total"]) == (["admin", "moderator", "user"], 4)
    assert [(await call(admin, "DELETE", f"{ROLES}/support")).status_code for _ in range(2)] == [204, 204]
    assert (await call(admin, "GET", f"{ROLES}/support")).status_code == 404
    assert (await call(admin, "PATCH", f"{ROLES}/support", json={"rank": 1})).status_code == 404
    for action in ("role.created", "role.updated", "role.deleted"):
        [entry] = await audited(resources, action)
        assert (entry["subject_id"], entry["actor_id"]) == ("support", admin.id)
    known = (await call(admin, "GET", f"{AUTH}/admin/permissions")).json()["items"]
    assert {item["name"]: item["description"] for item in known} == PERMISSIONS


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"permissions": ["users:eat"]}, 422),
        ({"permissions": ["tasks:read"]}, 422),
        ({"rank": 100}, 422),
        ({"rank": -1}, 422),
        ({"name": "Big Boss"}, 422),
        ({"built_in": True}, 422),
    ],
)
async def test_roles_that_make_no_sense_are_refused(admin, changes, status):
    assert (await call(admin, "POST", ROLES, json=SUPPORT | changes)).status_code == status


async def test_built_in_roles_stay_and_admin_stays_whole(admin, roles):
    for name in ("user", "moderator", "admin"):
        assert (await call(admin, "DELETE", f"{ROLES}/{name}")).status_code == 409
    for changes in ({"permissions": []}, {"rank": 1}):
        assert (await call(admin, "PATCH", f"{ROLES}/admin", json=changes)).status_code == 409
    described = await call(admin, "PATCH", f"{ROLES}/admin", json={"description": "Us"})
    assert (described.status_code, described.json()["permissions"]) == (200, sorted(PERMISSIONS))
    moderator = await call(admin, "PATCH", f"{ROLES}/moderator", json={"permissions": ["audit:read"]})
    assert moderator.json()["permissions"] == ["audit:read"]


async def test_who_lacks_the_permission_sees_no_roles(person, admin):
    user, moderator = await person(), await person("moderator")
    for somebody in (user, moderator):
        for url in (ROLES, f"{ROLES}/admin", f"{AUTH}/admin/permissions"):
            assert (await call(somebody, "GET", url)).status_code == 403
        assert (await call(somebody, "POST", ROLES, json=SUPPORT)).status_code == 403


async def test_a_changed_role_reaches_tokens_at_the_next_refresh(admin, person, support):
    helper = await person("support")
    assert {"users:read", "users:write", "tasks:read"} <= scopes(helper)
    await call(admin, "PATCH", f"{ROLES}/support", json={"permissions": ["users:read"]})
    assert await me(helper) == 200, "the session and its token go on"
    helper.tokens = (await helper.refresh()).json()
    assert scopes(helper) & set(PERMISSIONS) == {"users:read"}
    assert (await call(helper, "GET", f"{AUTH}/me")).json()["permissions"] == ["users:read"]


async def test_a_role_that_is_taken_kills_old_tokens_and_leaves_the_session(admin, person, resources, outside):
    moderator = await person("moderator")
    assert (await give(admin, moderator)).json()["roles"] == ["user"]
    assert await me(moderator) == 401
    [entry] = [e for e in (await resources.revocations.snapshot()).entries if e.kind == "user"]
    assert (entry.key, entry.minimum) == (moderator.id, 2)
    refreshed = await moderator.refresh()
    assert refreshed.status_code == 200
    moderator.tokens = refreshed.json()
    assert await me(moderator) == 200
    assert not scopes(moderator) & set(PERMISSIONS)
    told = (await outside.events())[-1]
    assert (told.type, told.data["roles"]) == ("auth.user.updated.v1", ["user"])


async def test_a_role_that_is_given_leaves_tokens_alone(admin, person):
    user = await person()
    assert (await give(admin, user, "moderator")).status_code == 200
    assert await me(user) == 200
    user.tokens = (await user.refresh()).json()
    assert "users:block" in scopes(user)


async def test_no_refresh_that_races_the_taking_keeps_the_role(admin, person):
    moderator = await person("moderator")
    for _ in range(10):
        await give(admin, moderator, "moderator")
        moderator.tokens = (await moderator.refresh()).json()
        assert "users:block" in scopes(moderator)
        refreshed, taken = await asyncio.gather(moderator.refresh(), give(admin, moderator))
        assert (refreshed.status_code, taken.status_code) == (200, 200)
        moderator.tokens = refreshed.json()
        assert "users:block" not in scopes(moderator) or await me(moderator) == 401


async def test_nobody_gives_what_they_lack(admin, person, support, resources):
    await call(admin, "POST", ROLES, json=SUPPORT | {"name": "keeper", "permissions": ["roles:write"], "rank": 9})
    await call(admin, "POST", ROLES, json=SUPPORT | {"name": "high", "permissions": [], "rank": 8})
    await call(admin, "POST", ROLES, json=SUPPORT | {"name": "auditor", "permissions": ["audit:read"], "rank": 0})
    helper, keeper, user = await person("support"), await person("keeper"), await person()
    new = {"email": "new@example.com", "name": "New"}
    for role in ("admin", "moderator", "high", "auditor"):
        assert (await give(helper, user, role)).status_code == 403, role
        assert (await call(helper, "POST", USERS, json=new | {"roles": [role]})).status_code == 403
    assert (await give(helper, user, "nonsense")).status_code == 422
    assert (await give(helper, user, "support")).status_code == 200
    assert (await give(helper, user)).status_code == 403, "who ranks as high now"
    for body in ({"permissions": ["users:block"]}, {"permissions": [], "rank": 10}):
        assert (await call(keeper, "POST", ROLES, json=SUPPORT | {"name": "mine"} | body)).status_code == 403
    assert (await call(keeper, "PATCH", f"{ROLES}/support", json={"permissions": ["audit:read"]})).status_code == 403
    for name in ("keeper", "moderator"):
        assert (await call(keeper, "PATCH", f"{ROLES}/{name}", json={"permissions": []})).status_code == 403
    mine = {"name": "mine", "permissions": ["roles:write"], "rank": 8}
    assert (await call(keeper, "POST", ROLES, json=SUPPORT | mine)).status_code == 201
    assert (await resources.database["users"].find_one({"email": "new@example.com"})) is None
    assert len(await audited(resources, "user.updated", "failure")) == 5
    assert len(await audited(resources, "user.created", "failure")) == 4
    assert {entry["detail"]["reason"] for entry in await audited(resources, "role.updated", "failure")} == {
        "escalation"
    }


async def test_what_a_token_permits_no_more_by_its_roles_can_not_be_given(admin, person, resources, support):
    """The token still has the scope until it is refreshed, its roles have not."""
    helper, user = await person("support"), await person()
    await call(admin, "PATCH", f"{ROLES}/support", json={"permissions": ["users:write"]})
    await call(admin, "POST", ROLES, json=SUPPORT | {"name": "reader", "permissions": ["users:read"], "rank": 0})
    assert (await give(helper, user, "reader")).status_code == 403


async def test_a_role_in_use_is_not_deleted_whoever_is_first(admin, person, support, resources):
    user = await person()
    await give(admin, user, "support")
    assert (await call(admin, "DELETE", f"{ROLES}/support")).status_code == 409
    for _ in range(8):
        await give(admin, user)
        await call(admin, "POST", ROLES, json=SUPPORT)
        given, deleted = await asyncio.gather(give(admin, user, "support"), call(admin, "DELETE", f"{ROLES}/support"))
        assert (given.status_code, deleted.status_code) in {(200, 409), (422, 204)}
        stored = await resources.database["users"].find_one({"email": user.email})
        exists = await resources.database["roles"].find_one({"_id": "support"}) is not None
        assert ("support" in stored["roles"]) == exists == (given.status_code == 200)


@pytest.mark.parametrize("act", ["demote", "block", "delete", "unverify"])
async def test_the_last_admin_stays_however_many_act_at_once(person, resources, act):
    """Two administrators take each other away at the same moment."""
    for _ in range(4):
        await resources.database["users"].delete_many({})
        one, two = await person("admin"), await person("admin")

        async def away(actor, target):
            url = f"{USERS}/{target.id}"
            requests = {
                "demote": ("PATCH", url, {"json": {"roles": ["user"]}}),
                "block": ("POST", f"{url}/block", {"json": {"reason": "no"}}),
                "delete": ("DELETE", url, {}),
                "unverify": ("PATCH", url, {"json": {"email_verified": False}}),
            }
            method, path, body = requests[act]
            return await call(actor, method, path, **body)

        answers = await asyncio.gather(away(one, two), away(two, one))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] in {200, 204}, [answer.text for answer in answers]
        assert statuses[1] in {401, 404, 409}
        left = (
            await resources.database["users"]
            .find({"roles": "admin", "email_verified": True, "blocked_until": None})
            .to_list()
        )
        assert len(left) == 1


async def test_the_last_admin_can_not_leave(admin, person, resources):
    refused = await call(admin, "DELETE", f"{AUTH}/me")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    assert await me(admin) == 200
    blocked = await person("admin")
    assert (await call(admin, "POST", f"{USERS}/{blocked.id}/block", json={"reason": "no"})).status_code == 200
    assert (await call(admin, "DELETE", f"{AUTH}/me")).status_code == 409, "a blocked one does not count"
    await person("admin")
    assert (await call(admin, "DELETE", f"{AUTH}/me")).status_code == 204
