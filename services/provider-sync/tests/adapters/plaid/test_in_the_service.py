"""Plaid through the whole service: connect, synchronise, mend, remove."""

from decimal import Decimal

import pytest
from sqlalchemy import text

from grove_provider_sync.tokens.revoker import TokenRevoker

pytestmark = pytest.mark.integration


async def test_a_user_connects_and_everything_is_fetched(user, runner):
    connection = await user.connect()
    assert (connection["status"], connection["provider"]) == ("active", "plaid")
    await runner.run(connection["id"])
    accounts = (await user.call("GET", "/accounts")).json()["items"]
    assert [(each["name"], each["balance"]) for each in accounts] == [
        ("Everyday", "2480.17"),
        ("Savings", "15200.00"),
    ]
    theirs = (await user.world.http.get(f"/control/customers/{user.customer}/transactions")).json()
    assert sorted((await user.transactions()).values()) == sorted(
        (each["description"], Decimal(each["amount"])) for each in theirs
    )
    [run] = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
    assert (run["status"], run["added"]) == ("completed", 120)


async def test_later_runs_fetch_what_changed(user, runner):
    connection = await user.connect()
    await runner.run(connection["id"])
    base = f"/control/customers/{user.customer}/transactions"
    theirs = (await user.world.http.get(base)).json()
    pending = next(each for each in theirs if each["status"] == "pending")
    await user.world.http.post(base, json={"id": "new", "amount": "-5", "description": "New"})
    await user.world.http.post(
        base, json={"id": "posted", "amount": "-7", "description": "Posted", "replaces": pending["id"]}
    )
    await user.world.http.patch(f"{base}/{theirs[0]['id']}", params={"description": "Changed"})
    await user.world.http.delete(f"{base}/{theirs[1]['id']}")
    run = await user.sync(runner, connection)
    assert (run["added"], run["changed"], run["removed"]) == (1, 2, 1)
    now_theirs = (await user.world.http.get(base)).json()
    assert sorted(name for name, _ in (await user.transactions()).values()) == sorted(
        each["description"] for each in now_theirs
    )


async def test_data_that_changes_once_while_it_is_paged_through_is_read_whole(user, runner):
    connection = await user.connect()
    await user.world.behave(await user.item(), mutates="once")
    await runner.run(connection["id"])
    assert len(await user.transactions()) == 120
    [run] = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
    assert run["status"] == "completed"


async def test_data_that_always_changes_ends_the_run_with_words(user, runner):
    connection = await user.connect()
    await user.world.behave(await user.item(), mutates="always")
    await runner.run(connection["id"])
    found = await user.standing(connection)
    assert (found["status"], "kept changing" in found["status_detail"]) == ("error", True)


async def test_forgotten_cursors_lead_back_to_the_beginning_and_nothing_is_there_twice(user, runner):
    connection = await user.connect()
    await runner.run(connection["id"])
    before = await user.transactions()
    await user.world.forget_cursors(await user.item())
    run = await user.sync(runner, connection)
    assert (run["status"], run["added"], run["removed"]) == ("completed", 0, 0)
    assert await user.transactions() == before


async def test_a_history_that_is_not_ready_is_fetched_later(user, runner, resources):
    connection = await user.connect()
    await user.world.behave(await user.item(), ready=False)
    await runner.run(connection["id"])
    [run] = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
    assert (run["status"], run["error"]) == ("queued", None)
    await user.world.behave(await user.item(), ready=True)
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE sync_runs SET not_before = now() - interval '1 second'"))
    await runner.run(connection["id"])
    assert len(await user.transactions()) == 120


async def test_a_login_that_ended_is_mended_in_update_mode_and_nothing_is_lost(user, runner):
    connection = await user.connect()
    await runner.run(connection["id"])
    before = await user.transactions()
    await user.world.fail(await user.item(), "ITEM_LOGIN_REQUIRED")
    await user.sync(runner, connection)
    assert (await user.standing(connection))["status"] == "needs_reauth"
    again = await user.call("POST", f"/connections/{connection['id']}/reauthorize")
    assert again.status_code == 200, again.text
    mended = await user.finish(again.json())
    assert (mended.status_code, mended.json()["id"], mended.json()["status"]) == (200, connection["id"], "active")
    assert (await user.sync(runner, connection))["status"] == "completed"
    assert await user.transactions() == before
    assert len(await user.world.items(user.customer)) == 1


async def test_a_user_who_leaves_plaids_page_is_not_connected(user):
    started = await user.begin()
    assert (await user.finish(started, "exit")).status_code == 409
    assert (await user.standing(started))["status"] == "pending"
    assert (await user.finish(started, "allow")).status_code == 410, "nobody can wait for what is agreed to later"


async def test_who_sent_somebody_else_to_plaid_gets_nothing_of_what_they_agreed_to(user):
    """The callback bears no code: whoever began the try knows all of it."""
    started = await user.begin()
    back = await user.world.visit(started["authorization_url"], customer=user.customer, decision="allow")
    user.client.cookies.clear()
    assert (await user.client.get("/api/v1/connections/callback", params=back)).status_code == 403
    assert (await user.call("GET", "/connections/callback", params=back)).status_code == 410
    assert (await user.standing(started))["status"] == "pending"


@pytest.mark.parametrize("told_by", ["webhook", "run"])
async def test_a_withdrawn_consent_is_given_anew_for_the_same_connection(user, runner, resources, plaid, told_by):
    """Plaid has another item then: what was of the one before is in its place."""
    connection = await user.connect()
    await runner.run(connection["id"])
    old = await user.item()
    await user.world.fail(old, "USER_PERMISSION_REVOKED")
    if told_by == "run":
        await user.sync(runner, connection)
    else:
        headers, body = await user.world.webhook(old, "ITEM", "USER_PERMISSION_REVOKED")
        await user.client.post("/api/v1/providers/plaid/webhooks", headers=headers, content=body)
    assert (await user.standing(connection))["status"] == "needs_reauth"
    again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    mended = await user.finish(again)
    assert (mended.status_code, mended.json()["id"]) == (200, connection["id"]), mended.text
    assert (await user.sync(runner, connection))["status"] == "completed"
    assert len(await user.transactions()) == 120
    await TokenRevoker(resources).revoke_due(plaid)
    assert [item["removed"] for item in await user.world.items(user.customer)] == [True, False]


async def test_a_withdrawn_consent_is_told(user, runner):
    connection = await user.connect()
    await user.world.fail(await user.item(), "USER_PERMISSION_REVOKED")
    await runner.run(connection["id"])
    found = await user.standing(connection)
    assert (found["status"], "withdrawn" in found["status_detail"]) == ("needs_reauth", True)


async def test_a_webhook_sets_off_a_run_and_a_forged_one_does_not(user, runner):
    connection = await user.connect()
    await runner.run(connection["id"])
    item = await user.item()
    for wrong, status in (("key", 401), (None, 204)):
        headers, body = await user.world.webhook(item, "TRANSACTIONS", "SYNC_UPDATES_AVAILABLE", wrong=wrong)
        answer = await user.client.post("/api/v1/providers/plaid/webhooks", headers=headers, content=body)
        assert answer.status_code == status, answer.text
        runs = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
        assert (runs[0]["trigger"] == "webhook") is (wrong is None)


async def test_a_removed_connection_is_removed_at_plaid(user, runner, resources, plaid):
    connection = await user.connect()
    await runner.run(connection["id"])
    assert (await user.call("DELETE", f"/connections/{connection['id']}")).status_code == 204
    await TokenRevoker(resources).revoke_due(plaid)
    [item] = await user.world.items(user.customer)
    assert item["removed"]
