"""Administration: permissions, the rule of ranks, blocks and their end."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now, rfc3339
from grove.core.tasks import end
from grove_auth.admin.service import AdminService

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
USERS = f"{AUTH}/admin/users"
REASON = {"reason": "spam"}


async def block(actor, target, **data):
    return await actor.client.post(f"{USERS}/{target.id}/block", json=REASON | data, headers=actor.headers)


async def test_accounts_are_listed_read_and_filtered(person):
    admin, moderator, user = await person("admin"), await person("moderator"), await person()
    listed = await admin.client.get(f"{USERS}?size=2", headers=admin.headers)
    assert (listed.json()["total"], listed.headers["x-total-count"]) == (3, "3")
    assert [item["id"] for item in listed.json()["items"]] == [user.id, moderator.id]
    one = (await admin.client.get(f"{USERS}/{user.id}", headers=admin.headers)).json()
    assert (one["email"], one["blocked"], one["roles"]) == (user.email, False, ["user"])
    assert not {"password_hash", "password_history"} & set(one)
    born = one["created_at"]
    for query, found in (
        ("role=moderator", [moderator.id]),
        (f"q={user.email[:9].upper()}", [user.id]),
        (f"date_from={born}", [user.id]),
        (f"date_to={born}&role=moderator", [moderator.id]),
    ):
        answer = await moderator.client.get(f"{USERS}?{query}", headers=moderator.headers)
        assert [item["id"] for item in answer.json()["items"]] == found
    for query in ("cursor=", "sort=email", "size=0"):
        assert (await admin.client.get(f"{USERS}?{query}", headers=admin.headers)).status_code == 422
    unknown = await admin.client.get(f"{USERS}/{admin.tokens['session_id']}", headers=admin.headers)
    assert unknown.status_code == 404


async def test_users_have_no_business_here(person):
    user, other = await person(), await person()
    assert (await user.client.get(USERS, headers=user.headers)).status_code == 403
    assert (await block(user, other)).status_code == 403
    assert (await user.client.get(USERS)).status_code == 401


@pytest.mark.parametrize(
    ("actor", "target", "status"),
    [
        (["moderator"], [], 200),
        (["moderator"], ["moderator"], 403),
        (["moderator"], ["admin"], 403),
        (["admin"], ["moderator"], 200),
        (["admin"], ["admin"], 200),
    ],
)
async def test_nobody_acts_on_who_ranks_as_high(person, actor, target, status):
    actor, target = await person(*actor), await person(*target)
    for route, body in (("block", REASON), ("unblock", None), ("revoke-sessions", None)):
        answer = await actor.client.post(f"{USERS}/{target.id}/{route}", json=body, headers=actor.headers)
        assert answer.status_code == (204 if status == 200 and route == "revoke-sessions" else status)


async def test_nobody_blocks_themselves(person):
    admin = await person("admin")
    refused = await block(admin, admin)
    assert (refused.status_code, refused.json()["error"]["message"]) == (
        403,
        "You may not do this to your own account.",
    )


async def test_a_blocked_account_is_out_at_once_and_told_so_only_after_a_right_password(person, outside, resources):
    admin, user = await person("admin"), await person()
    blocked = await block(admin, user)
    assert (blocked.status_code, blocked.json()["blocked"], blocked.json()["block_reason"]) == (200, True, "spam")
    assert (await user.client.get(f"{AUTH}/me", headers=user.headers)).status_code == 401
    assert (await user.refresh()).status_code == 401
    assert (await user.login()).json()["error"]["code"] == "ACCOUNT_BLOCKED"
    assert (await user.login(password="wrong wrong wrong")).json()["error"]["code"] == "INVALID_CREDENTIALS"
    assert (await admin.client.get(f"{USERS}?blocked=true", headers=admin.headers)).json()["total"] == 1
    freed = await admin.client.post(f"{USERS}/{user.id}/unblock", headers=admin.headers)
    assert (freed.status_code, freed.json()["blocked"]) == (200, False)
    assert (await user.login()).status_code == 200
    facts = await outside.facts()
    assert facts.count("auth.user.blocked.v1") == facts.count("auth.user.unblocked.v1") == 1
    [entry] = [e for e in (await resources.revocations.snapshot()).entries if e.kind == "user"]
    assert (entry.key, entry.minimum) == (user.id, 2)


async def test_a_block_ends_by_itself(person, outside, resources):
    admin, user = await person("admin"), await person()
    past = rfc3339(now() - timedelta(minutes=1))
    assert (await block(admin, user, until=past)).status_code == 422
    until = now() + timedelta(hours=1)
    assert (await block(admin, user, until=rfc3339(until))).json()["blocked_until"] is not None
    await resources.database["users"].update_one({"email": user.email}, {"$set": {"blocked_until": now()}})
    assert (await user.login()).status_code == 200, "its time is over, whether or not a worker was there"
    ending = asyncio.create_task(AdminService(resources).run())
    async with asyncio.timeout(5):
        while "auth.user.unblocked.v1" not in await outside.facts():
            await asyncio.sleep(0.02)
    await end(ending)
    stored = await resources.database["users"].find_one({"email": user.email})
    assert (stored["blocked_until"], stored["block_reason"]) == (None, None)


async def test_no_session_survives_a_sign_in_that_races_the_block(person, resources):
    admin, user = await person("admin"), await person()
    for _ in range(8):
        await user.login()
        await asyncio.gather(block(admin, user), *(user.login() for _ in range(4)))
        mine = await resources.database["sessions"].find({}).to_list()
        assert {str(session["user_id"]) for session in mine} == {admin.id}
        await admin.client.post(f"{USERS}/{user.id}/unblock", headers=admin.headers)
