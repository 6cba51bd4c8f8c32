"""Operators' routes: what they show, and to whom."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from grove.core.clock import now
from grove.core.ids import new_id
from grove_provider_sync.models import Connection, SyncRun

pytestmark = pytest.mark.integration

URL = "/api/v1/admin/provider-sync"
DANGEROUS = (f"{URL}/providers/sandbox/revoke-all", f"{URL}/connections/{new_id()}/revoke")
BODY = {"reason": "A breach."}


async def test_a_provider_is_shown_with_its_connections_and_what_waits_for_it(
    user, stranger, runner, operator, resources, bank
):
    waits, runs, removed = await user.connect(), await stranger.connect(), await stranger.begin()
    await runner.run(runs["id"])
    async with resources.sessions.begin() as session:
        later = now() + timedelta(minutes=5)
        await session.execute(update(SyncRun).where(SyncRun.connection_id == waits["id"]).values(not_before=later))
    [shown] = (await operator.get("/providers"))["items"]
    assert shown == {
        "key": "sandbox",
        "name": "Sandbox Bank",
        "offered": True,
        "health": "ok",
        "connections": {"active": 2, "pending": 1},
        "token_version": 0,
        "revoked_at": None,
        "revoked_by": None,
        "paused_until": None,
        "runs_put_off": 1,
        "revocations_waiting": 0,
        "oldest_revocation_at": None,
    }
    await stranger.call("DELETE", f"/connections/{removed['id']}")
    await operator.post(f"/connections/{runs['id']}/revoke", BODY)
    await operator.revoke_all()
    await resources.providers.get("sandbox")._http._turns.pause(resources.providers.describe("sandbox"), 60, whole=True)
    [shown] = (await operator.get("/providers"))["items"]
    assert shown["connections"] == {"active": 1, "needs_reauth": 1}
    assert (shown["token_version"], shown["revoked_by"]) == (1, str(operator.id))
    assert shown["revocations_waiting"] == 1
    assert shown["oldest_revocation_at"] <= shown["revoked_at"]
    assert shown["paused_until"] > shown["revoked_at"]


async def test_connections_of_a_provider_that_is_no_longer_offered_are_shown(user, operator, resources):
    await user.connect()
    async with resources.sessions.begin() as session:
        await session.execute(update(Connection).values(provider="elsewhere"))
    gone, offered = (await operator.get("/providers"))["items"]
    assert (gone["key"], gone["offered"], gone["connections"]) == ("elsewhere", False, {"active": 1})
    assert (offered["key"], offered["connections"]) == ("sandbox", {})


async def test_connections_are_searched_without_what_they_are_to(user, stranger, runner, operator):
    first, second = await user.connect(), await stranger.connect()
    await runner.run(first["id"])
    await operator.post(f"/connections/{second['id']}/revoke", BODY)
    page = await operator.get("/connections")
    assert (page["total"], [each["id"] for each in page["items"]]) == (2, [second["id"], first["id"]])
    assert set(page["items"][0]) == {
        "id",
        "user_id",
        "provider",
        "status",
        "status_detail",
        "failures",
        "linked_at",
        "last_synced_at",
        "next_sync_at",
        "reauth_by",
        "created_at",
    }
    for wanted, found in (
        ({"status": "needs_reauth"}, [second]),
        ({"user_id": str(user.id)}, [first]),
        ({"provider": "sandbox", "status": "active"}, [first]),
        ({"provider": "elsewhere"}, []),
    ):
        items = (await operator.get("/connections", **wanted))["items"]
        assert [each["id"] for each in items] == [each["id"] for each in found], wanted


async def test_all_connections_are_walked_by_cursor(user, operator):
    made = [(await user.begin())["id"] for _ in range(5)]
    walked, cursor = [], ""
    while cursor is not None:
        page = await operator.get("/connections", size=2, cursor=cursor)
        walked += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert walked == made[::-1]


async def test_what_is_being_erased_is_not_shown(user, operator):
    connection = await user.connect()
    await user.call("DELETE", f"/connections/{connection['id']}")
    assert (await operator.get("/connections"))["items"] == []
    assert (await operator.get("/providers"))["items"][0]["connections"] == {}


@pytest.mark.parametrize("path", ["providers", "connections"])
async def test_it_takes_the_permission_to_look(client, issuer, path):
    assert (await client.get(f"{URL}/{path}")).status_code == 401
    assert (await client.get(f"{URL}/{path}", headers=issuer.headers())).status_code == 403


@pytest.mark.parametrize("path", DANGEROUS, ids=["all", "one"])
async def test_it_takes_the_permission_and_a_sign_in_of_just_now_to_end_access(client, issuer, path):
    assert (await client.post(path, json=BODY)).status_code == 401
    assert (await client.post(path, json=BODY, headers=issuer.headers())).status_code == 403
    earlier = int((now() - timedelta(minutes=6)).timestamp())
    stale = issuer.headers(scope="providers:revoke", auth_time=earlier)
    answer = await client.post(path, json=BODY, headers=stale)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "REAUTH_REQUIRED")


async def test_a_reason_is_needed_and_what_is_unknown_is_not_found(operator):
    for path in ("/providers/sandbox/revoke-all", f"/connections/{new_id()}/revoke"):
        assert (await operator.post(path, {})).status_code == 422
        assert (await operator.post(path, {"reason": ""})).status_code == 422
    for path in ("/providers/nobank/revoke-all", f"/connections/{new_id()}/revoke"):
        assert (await operator.post(path, BODY)).status_code == 404
