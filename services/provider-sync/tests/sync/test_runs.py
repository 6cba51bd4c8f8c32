"""Runs: whole, resumed, incremental, refreshed once, and honest about failures."""

import asyncio

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.core.tasks import end
from grove.messaging.broker import message
from grove.messaging.topology import internal_exchange
from grove.testing.postgres import outbox_types
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.jobs import QUEUE, JobConsumer, Scheduler
from grove_provider_sync.sync.pages import Pages
from grove_provider_sync.sync.runner import SyncRunner
from grove_provider_sync.tokens.keeper import TokenKeeper

pytestmark = pytest.mark.integration


async def run_again(user, runner, connection) -> dict:
    await user.call("POST", f"/connections/{connection['id']}/sync")
    await runner.run(connection["id"])
    return (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"][0]


async def status(user, connection) -> dict:
    return (await user.call("GET", f"/connections/{connection['id']}")).json()


async def test_the_first_run_fetches_everything(user, runner, resources, world):
    connection = await user.connect()
    await runner.run(connection["id"])
    accounts = (await user.call("GET", "/accounts")).json()["items"]
    assert [(a["name"], a["balance"], a["currency"]) for a in accounts] == [
        ("Everyday", "2480.17", "EUR"),
        ("Savings", "15200.00", "EUR"),
    ]
    assert (await user.call("GET", f"/accounts/{accounts[0]['id']}")).json() == accounts[0]
    theirs = (await world.get(f"/control/customers/{user.customer}/transactions")).json()
    assert sorted((await user.transactions()).values()) == sorted(item["description"] for item in theirs)
    [run] = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
    assert (run["trigger"], run["status"], run["added"], run["error"]) == ("initial", "completed", 120, None)
    found = await status(user, connection)
    assert (found["status"], found["status_detail"]) == ("active", "Up to date.")
    assert found["last_synced_at"] < found["next_sync_at"]
    types = await outbox_types(resources.engine)
    assert types.count("provider_sync.transactions.changed.v1") == 5
    assert types[-1] == "provider_sync.run.completed.v1"


async def test_later_runs_fetch_what_changed_and_nothing_twice(user, runner, world):
    connection = await user.connect()
    await runner.run(connection["id"])
    assert (await run_again(user, runner, connection))["added"] == 0
    base = f"/control/customers/{user.customer}/transactions"
    theirs = (await world.get(base)).json()
    pending = next(item for item in theirs if item["status"] == "pending")
    await world.post(base, json={"id": "new-1", "amount": "-5.00", "description": "New"})
    await world.post(base, json={"id": "posted-1", "amount": "-7", "description": "Posted", "replaces": pending["id"]})
    await world.patch(f"{base}/{theirs[0]['id']}", params={"description": "Changed"})
    await world.delete(f"{base}/{theirs[1]['id']}")
    run = await run_again(user, runner, connection)
    assert (run["trigger"], run["added"], run["changed"], run["removed"]) == ("user", 1, 2, 1)
    now_theirs = (await world.get(base)).json()
    assert sorted((await user.transactions()).values()) == sorted(item["description"] for item in now_theirs)


async def test_a_cut_run_goes_on_where_it_stopped(user, runner, resources, monkeypatch):
    connection = await user.connect()
    applied = 0
    whole = Pages._apply

    async def dies(self, *arguments):
        nonlocal applied
        applied += 1
        if applied == 3:
            raise asyncio.CancelledError
        await whole(self, *arguments)

    monkeypatch.setattr(Pages, "_apply", dies)
    with pytest.raises(asyncio.CancelledError):
        await runner.run(connection["id"])
    assert len(await user.transactions()) == 50
    await SyncRunner(resources).run(connection["id"])
    assert len(await user.transactions()) == 50, "the dead worker's lease still holds"
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE connections SET lease_until = now() - interval '1 second'"))
    await SyncRunner(resources).run(connection["id"])
    assert len(await user.transactions()) == 120
    [run] = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
    assert (run["status"], run["added"]) == ("completed", 120)


async def test_a_worker_whose_run_was_taken_over_applies_nothing(user, runner, resources, monkeypatch):
    """It was away for so long, with a page in hand, that another worker went on from the same cursor."""
    connection = await user.connect()
    whole = Pages._apply

    async def overtaken(self, *arguments):
        async with resources.sessions.begin() as session:
            await session.execute(text("UPDATE connections SET cursor = 'further on'"))
        await whole(self, *arguments)

    monkeypatch.setattr(Pages, "_apply", overtaken)
    await runner.run(connection["id"])
    assert await user.transactions() == {}
    [run] = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
    assert (run["status"], run["added"]) == ("running", 0)


async def test_two_workers_never_run_one_connection(user, resources):
    connection = await user.connect()
    await asyncio.gather(*(SyncRunner(resources).run(connection["id"]) for _ in range(4)))
    assert len(await user.transactions()) == 120
    types = await outbox_types(resources.engine)
    assert types.count("provider_sync.run.completed.v1") == 1


async def test_expired_tokens_are_refreshed_once_and_stored(user, settings, offered, resources, world):
    connection = await user.connect()
    eager = Resources(settings.model_copy(update={"refresh_ahead_seconds": 2000}), offered)
    before = (await world.get("/control/calls")).json().get("refresh_token", 0)
    tokens = await TokenKeeper(eager).tokens(connection["id"])
    assert await TokenKeeper(resources).tokens(connection["id"]) == tokens
    assert (await world.get("/control/calls")).json()["refresh_token"] == before + 1
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE connections SET lease_until = NULL"))
    await SyncRunner(resources).run(connection["id"])
    assert (await world.get("/control/calls")).json()["refresh_token"] == before + 1
    assert len(await user.transactions()) == 120
    await eager.aclose()


async def test_withdrawn_consent_asks_for_its_user_and_reconnecting_keeps_history(user, runner, resources, world):
    connection = await user.connect()
    await runner.run(connection["id"])
    await world.post(f"/control/customers/{user.customer}/revoke")
    run = await run_again(user, runner, connection)
    assert run["status"] == "failed"
    found = await status(user, connection)
    assert (found["status"], found["next_sync_at"]) == ("needs_reauth", None)
    assert "Reconnect" in found["status_detail"]
    assert (await outbox_types(resources.engine))[-1] == "provider_sync.connection.needs_reauth.v1"
    assert (await user.call("POST", f"/connections/{connection['id']}/sync")).status_code == 400
    again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    assert (await user.callback(await user.consent(again["authorization_url"]))).json()["status"] == "active"
    await runner.run(connection["id"])
    assert len(await user.transactions()) == 120


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"path": "/api/accounts", "status": 500, "times": 10}, "answered 500"),
        ({"path": "/api/transactions", "delay_seconds": 2, "times": 10}, "in time"),
        ({"path": "/api/accounts", "status": 404}, "answered 404"),
    ],
)
async def test_a_failing_provider_is_tried_again_later(user, runner, resources, world, calm, fault, sentence):
    connection = await user.connect()
    await world.post("/control/faults", json=fault)
    await runner.run(connection["id"])
    [run] = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
    assert (run["status"], sentence in run["error"]) == ("failed", True), run
    found = await status(user, connection)
    assert found["status"] == "error"
    assert found["next_sync_at"]
    await world.delete("/control/faults")
    await calm()
    recovered = await run_again(user, runner, connection)
    assert recovered["status"] == "completed"
    assert (await status(user, connection))["status"] == "active"
    listed = (await user.call("GET", "/providers")).json()["items"][0]
    assert listed["health"] in {"ok", "failing"}


async def test_due_connections_are_scheduled_queued_and_run_by_the_worker(user, resources):
    async with resources.broker.connection() as broker:  # what can't be read is in nobody's way
        exchange = await (await broker.channel()).get_exchange(internal_exchange("provider-sync"), ensure=False)
        for _ in range(2 * resources.settings.sync_concurrency):
            await exchange.publish(message(b"{", message_id=str(new_id())), routing_key=QUEUE)
    connection = await user.connect()
    scheduler = Scheduler(resources)
    jobs = JobConsumer(resources, scheduler)
    tasks = [asyncio.create_task(jobs.run()), asyncio.create_task(scheduler.run())]

    async def runs(count: int) -> None:
        async with asyncio.timeout(15):
            while True:
                items = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
                if len([item for item in items if item["status"] == "completed"]) == count:
                    return
                await asyncio.sleep(0.05)

    await runs(1)
    assert jobs.connected
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE connections SET next_sync_at = now()"))
    await runs(2)
    listed = (await user.call("GET", f"/connections/{connection['id']}/sync-runs?size=1&cursor=")).json()
    assert listed["items"][0]["trigger"] == "scheduled"
    assert listed["next_cursor"]
    await end(*tasks)


@pytest.mark.parametrize(
    ("query", "check"),
    [
        ("amount_from=0", lambda items: all(float(i["amount"]) >= 0 for i in items)),
        ("amount_to=0", lambda items: all(float(i["amount"]) < 0 for i in items)),
        ("q=tram", lambda items: items and all("Tram" in i["description"] for i in items)),
        ("sort=amount", lambda items: [float(i["amount"]) for i in items] == sorted(float(i["amount"]) for i in items)),
        ("", lambda items: [i["booked_at"] for i in items] == sorted((i["booked_at"] for i in items), reverse=True)),
        ("date_from=2099-01-01", lambda items: items == []),
        ("date_to=2099-01-01", lambda items: len(items) == 100),
    ],
)
async def test_transactions_are_filtered(user, runner, query, check):
    connection = await user.connect()
    await runner.run(connection["id"])
    answer = await user.call("GET", f"/transactions?size=100&{query}")
    assert check(answer.json()["items"])


async def test_transactions_of_one_account(user, stranger, runner):
    connection = await user.connect()
    await runner.run(connection["id"])
    account = (await user.call("GET", "/accounts")).json()["items"][0]["id"]
    of_account = (await user.call("GET", f"/accounts/{account}/transactions")).json()
    filtered = (await user.call("GET", f"/transactions?account={account}")).json()
    assert of_account["total"] == filtered["total"] < 120
    assert (await stranger.call("GET", f"/accounts/{account}/transactions")).status_code == 404
    assert (await stranger.call("GET", f"/accounts/{account}")).status_code == 404
    assert (await stranger.call("GET", f"/transactions?account={account}")).json()["total"] == 0
    seen, cursor = [], ""
    while cursor is not None:
        page = (await user.call("GET", "/transactions", params={"size": 50, "cursor": cursor})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 120


async def test_a_removed_connection_ends_its_run(user, runner, resources):
    connection = await user.connect()
    await user.call("DELETE", f"/connections/{connection['id']}")
    await runner.run(connection["id"])
    await runner.run(new_id())


async def test_an_access_token_that_ends_before_its_time_is_refreshed_and_costs_nothing(user, runner, resources, world):
    """As it may in a long wait for a turn. One that is refused anew says that access is lost."""
    connection = await user.connect()
    await world.post(f"/control/customers/{user.customer}/expire")
    before = (await world.get("/control/calls")).json().get("refresh_token", 0)
    await runner.run(connection["id"])
    assert (await status(user, connection))["status"] == "active"
    assert (await world.get("/control/calls")).json()["refresh_token"] == before + 1
    assert len(await user.transactions()) == 120
