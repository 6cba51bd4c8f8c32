"""Schwab through the whole service: signed in, read, kept up with, and refused."""

from datetime import datetime, timedelta

import pytest

from grove.core.clock import now
from grove.postgres.reads import Statement
from grove_sandbox.schwab.trader import number_of

pytestmark = pytest.mark.integration


@pytest.fixture
def begin(user, monkeypatch):
    """The user connects Schwab instead of the sandbox bank."""

    async def begin() -> dict:
        answer = await user.call("POST", "/connections", json={"provider": "schwab"})
        assert answer.status_code == 201, answer.text
        return answer.json()

    monkeypatch.setattr(user, "begin", begin)
    return begin


async def run(user, runner, connection) -> dict:
    await user.call("POST", f"/connections/{connection['id']}/sync")
    await runner.run(connection["id"])
    return (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"][0]


async def test_a_connection_holds_what_schwab_holds_through_changes_that_schwab_does_not_tell(
    user, begin, runner, world
):
    connection = await user.connect()
    await runner.run(connection["id"])
    held = await user.transactions()
    assert len(held) == 120
    shown = (await user.call("GET", f"/connections/{connection['id']}")).json()
    assert shown["status"] == "active"
    assert timedelta(days=6, hours=23) < datetime.fromisoformat(shown["reauth_by"]) - now() <= timedelta(days=7)
    base = f"/control/customers/{user.customer}/transactions"
    theirs = (await world.get(base)).json()
    for item in theirs[-3:-1]:
        await world.delete(f"{base}/{item['id']}")
    await world.patch(f"{base}/{theirs[-1]['id']}", params={"description": "Changed"})
    await world.post(base, json={"id": f"{user.customer}-n", "amount": "-5", "description": "New"})
    done = await run(user, runner, connection)
    assert (done["status"], done["added"], done["changed"], done["removed"]) == ("completed", 1, 1, 2)
    now_theirs = (await world.get(base)).json()
    assert sorted((await user.transactions()).values()) == sorted(item["description"] for item in now_theirs)
    again = await run(user, runner, connection)
    assert (again["added"], again["changed"], again["removed"]) == (0, 0, 0)


async def test_no_account_number_is_stored(user, begin, runner, resources, world):
    connection = await user.connect()
    await runner.run(connection["id"])
    everything = str(await resources.reads.all(Statement("SELECT * FROM accounts, connections")))
    for each in (await world.get(f"/control/customers/{user.customer}/accounts")).json():
        number = number_of(each["id"])
        assert number not in everything
        assert number[-4:] in everything


async def test_a_sign_in_that_ended_asks_for_its_user(user, begin, runner, world):
    connection = await user.connect()
    await runner.run(connection["id"])
    await world.post(f"/control/customers/{user.customer}/revoke")
    assert (await run(user, runner, connection))["status"] == "failed"
    shown = (await user.call("GET", f"/connections/{connection['id']}")).json()
    assert shown["status"] == "needs_reauth"
    again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    assert (await user.callback(await user.consent(again["authorization_url"]))).json()["status"] == "active"
    await runner.run(connection["id"])
    assert len(await user.transactions()) == 120


async def test_an_access_token_that_ended_early_is_swapped_and_the_run_goes_on(user, begin, runner, world):
    connection = await user.connect()
    await world.post(f"/control/customers/{user.customer}/expire")
    await runner.run(connection["id"])
    assert len(await user.transactions()) == 120
