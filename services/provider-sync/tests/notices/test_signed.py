"""Webhooks as the bank signs them, through the service."""

import pytest
from sqlalchemy import func, select

from grove_provider_sync.models import Connection, SyncRun

pytestmark = pytest.mark.integration

URL = "/api/v1/providers/sandbox/webhooks"


@pytest.fixture
def signed(user, world):
    """What the bank would send about the user's customer: headers and body."""

    async def signed(kind: str, **more) -> tuple[dict[str, str], str]:
        answer = await world.post(f"/control/customers/{user.customer}/webhook", json={"type": kind} | more)
        assert answer.status_code == 200, answer.text
        return answer.json()["headers"], answer.json()["body"]

    return signed


@pytest.fixture
def send(client):
    async def send(headers: dict[str, str], body: str) -> int:
        return (await client.post(URL, content=body, headers=headers)).status_code

    return send


async def status(resources, connection: dict) -> str:
    async with resources.sessions() as session:
        return (await session.get_one(Connection, connection["id"])).status


async def test_what_the_bank_signed_is_taken_and_what_was_changed_is_not(user, runner, signed, send, resources):
    connection = await user.connect()
    await runner.run(connection["id"])
    headers, body = await signed("transactions.changed")
    assert await send(headers, body.replace(user.customer, "another")) == 401
    assert await send(*await signed("transactions.changed", seconds_ago=3600)) == 401
    for _ in range(2):
        assert await send(headers, body) == 204
    async with resources.sessions() as session:
        waiting = select(func.count()).select_from(SyncRun).where(SyncRun.trigger == "webhook")
        assert await session.scalar(waiting) == 1


async def test_a_webhook_that_is_sent_again_does_no_harm_to_access_that_was_given_anew(user, signed, send, resources):
    connection = await user.connect()
    withdrawn = await signed("consent.withdrawn")
    assert await send(*withdrawn) == 204
    assert await status(resources, connection) == "needs_reauth"
    again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    assert (await user.callback(await user.consent(again["authorization_url"]))).status_code == 200
    old = await signed("consent.withdrawn", seconds_ago=60)
    assert await send(*old) == 204
    assert await status(resources, connection) == "active"


async def test_access_that_is_refused_and_repaired_at_the_bank(user, runner, signed, send, resources):
    connection = await user.connect()
    await send(*await signed("access.refused"))
    assert await status(resources, connection) == "needs_reauth"
    await send(*await signed("access.repaired"))
    await runner.run(connection["id"])
    assert await status(resources, connection) == "active"
    assert len(await user.transactions()) == 120
