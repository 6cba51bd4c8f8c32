"""What providers tell by webhook: who is believed, what follows, and that a repetition adds nothing."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.postgres import outbox_types
from grove.web.rate_limit import Limit, RateLimiter
from grove_provider_sync.models import Connection, TokenRevocation
from grove_provider_sync.notices import endpoints, service
from grove_provider_sync.providers.interface import Notice, NoticeRefused
from grove_provider_sync.sync.pages import Pages
from grove_provider_sync.sync.runner import SyncRunner

pytestmark = pytest.mark.integration

SIGNED = {"X-Signature": "the bank's"}
NEEDS_REAUTH = "provider_sync.connection.needs_reauth.v1"


async def constant_header(headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
    """A bank that signs with the same word always."""
    if headers.get("x-signature") != SIGNED["X-Signature"]:
        raise NoticeRefused
    times = {"ends_at", "written_at"}
    return [
        Notice(**{name: datetime.fromisoformat(value) if name in times else value for name, value in each.items()})
        for each in json.loads(body)
    ]


@pytest.fixture(autouse=True)
def bank(resources, monkeypatch):
    provider = resources.providers.get("sandbox")
    monkeypatch.setattr(provider, "notices", constant_header)
    return provider


@pytest.fixture
def tell(client):
    """`await tell("news", customer)`: the bank tells something, and is answered 204."""

    async def tell(kind: str, external_id: str, *, key: str = "sandbox", headers=SIGNED, status=204, **more: str):
        body = [{"external_id": external_id, "kind": kind} | more]
        answer = await client.post(f"/api/v1/providers/{key}/webhooks", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer

    return tell


@pytest.fixture
def stored(resources):
    """The row of a connection."""

    async def stored(connection: dict) -> Connection:
        async with resources.sessions() as session:
            return await session.get_one(Connection, connection["id"])

    return stored


@pytest.fixture
async def connected(user, runner) -> dict:
    """A connection that has run once."""
    connection = await user.connect()
    await runner.run(connection["id"])
    return connection


async def runs(user, connection) -> list[tuple[str, str]]:
    """Trigger and status of a connection's runs, newest first."""
    found = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
    return [(run["trigger"], run["status"]) for run in found]


async def test_news_make_a_run(user, runner, tell, connected, world):
    base = f"/control/customers/{user.customer}/transactions"
    await world.post(base, json={"id": "new-1", "amount": "-5.00", "description": "New"})
    await tell("news", user.customer)
    assert await runs(user, connected) == [("webhook", "queued"), ("initial", "completed")]
    await runner.run(connected["id"])
    assert "New" in (await user.transactions()).values()


async def test_a_flood_of_the_same_news_makes_one_run(user, runner, tell, connected, stored):
    await asyncio.gather(*(tell("news", user.customer) for _ in range(200)))
    assert await runs(user, connected) == [("webhook", "queued"), ("initial", "completed")]
    await runner.run(connected["id"])
    assert await runs(user, connected) == [("webhook", "completed"), ("initial", "completed")]
    assert (await stored(connected)).next_sync_at > now() + timedelta(minutes=60)


async def test_news_during_a_run_make_another_one_follow_it(user, runner, tell, connected, stored, monkeypatch):
    whole = Pages._apply

    async def told_meanwhile(self, *arguments):
        await tell("news", user.customer)
        await whole(self, *arguments)

    monkeypatch.setattr(Pages, "_apply", told_meanwhile)
    await user.call("POST", f"/connections/{connected['id']}/sync")
    await runner.run(connected["id"])
    assert await runs(user, connected) == [("user", "completed"), ("initial", "completed")]
    assert (await stored(connected)).next_sync_at <= now()


async def test_what_is_not_signed_is_refused_without_a_word_why(user, tell, connected):
    answer = await tell("news", user.customer, headers={"X-Signature": "mine"}, status=401)
    assert answer.json()["error"] == {
        "code": "AUTH_REQUIRED",
        "message": "This is not signed by the provider.",
        "details": [],
    }
    assert answer.headers["www-authenticate"] == "Signature"
    assert await runs(user, connected) == [("initial", "completed")]


async def test_who_sends_forged_ones_is_stopped_and_who_signs_is_not_counted(
    user, tell, connected, resources, monkeypatch
):
    monkeypatch.setattr(endpoints, "REFUSED_LIMIT", Limit(f"refused-{new_id()}", 2, 3600))
    monkeypatch.setattr(resources.limiter, "_factor", 1)
    for _ in range(5):
        await tell("news", user.customer)
    for status in (401, 401, 429):
        await tell("news", user.customer, headers={"X-Signature": "mine"}, status=status)


async def test_a_provider_that_tells_nothing_has_no_place_for_it(tell, resources, bank, monkeypatch):
    class Quiet:
        description = replace(bank.description, key="quiet", webhooks=False)

    monkeypatch.setitem(resources.providers._providers, "quiet", Quiet())
    for key in ("quiet", "nobank"):
        assert (await tell("news", "x", key=key, status=404)).json()["error"]["code"] == "RESOURCE_NOT_FOUND"


async def test_nobody_needs_to_be_known_for_what_concerns_nobody(tell):
    await tell("news", "no customer of ours")


async def test_bodies_are_small(client):
    for kind in ("application/json", "application/octet-stream"):
        headers = SIGNED | {"Content-Type": kind}
        url = "/api/v1/providers/sandbox/webhooks"
        padded = b"[]" + b" " * (endpoints.MAX_BYTES - 2)
        assert (await client.post(url, content=padded, headers=headers)).status_code == 204
        assert (await client.post(url, content=padded + b" ", headers=headers)).status_code == 413


async def test_a_network_is_limited(tell, resources, monkeypatch):
    limiter = RateLimiter(None, "here")
    limiter._skip_until = math.inf  # counts in this process
    monkeypatch.setattr(resources, "limiter", limiter)
    monkeypatch.setattr(endpoints, "NETWORK_LIMIT", Limit("webhooks", 1, 3600))
    await tell("news", "x")
    assert (await tell("news", "x", status=429)).headers["retry-after"]


async def test_access_that_is_refused_asks_for_its_user_once(user, tell, connected, stored, resources):
    for _ in range(3):
        await tell("refused", user.customer)
    found = await stored(connected)
    assert (found.status, found.next_sync_at) == ("needs_reauth", None)
    assert found.sealed_tokens, "the provider may repair it"
    assert (await outbox_types(resources.engine)).count(NEEDS_REAUTH) == 1


async def test_access_that_was_withdrawn_ends_the_run_and_takes_the_tokens(user, tell, connected, stored, resources):
    await tell("news", user.customer)
    for _ in range(3):
        await tell("withdrawn", user.customer)
    found = await stored(connected)
    assert (found.status, found.sealed_tokens) == ("needs_reauth", None)
    assert found.status_detail.startswith("Access was withdrawn at the provider.")
    assert await runs(user, connected) == [("webhook", "failed"), ("initial", "completed")]
    async with resources.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(TokenRevocation)) == 1
    assert (await outbox_types(resources.engine)).count(NEEDS_REAUTH) == 1


async def test_tokens_go_also_when_access_was_refused_before_it_was_withdrawn(user, tell, connected, stored, resources):
    await tell("refused", user.customer)
    await tell("withdrawn", user.customer)
    assert (await stored(connected)).sealed_tokens is None
    assert (await outbox_types(resources.engine)).count(NEEDS_REAUTH) == 1


async def test_an_end_is_noted_when_it_is_sooner_than_the_known_one(user, tell, connected, stored):
    soon, later = (now().replace(microsecond=0) + timedelta(days=days) for days in (5, 9))
    for told, known in ((later, later), (soon, soon), (later, soon)):
        await tell("ends_soon", user.customer, ends_at=told.isoformat())
        assert (await stored(connected)).reauth_by == known
    await tell("ends_soon", user.customer)
    assert (await stored(connected)).reauth_by == soon


async def test_what_is_repaired_at_the_provider_runs_again_and_is_told(
    user, runner, tell, connected, stored, resources
):
    await tell("refused", user.customer)
    for _ in range(2):
        await tell("repaired", user.customer)
    assert (await stored(connected)).status == "active"
    await runner.run(connected["id"])
    assert await runs(user, connected) == [("webhook", "completed"), ("initial", "completed")]
    assert (await outbox_types(resources.engine))[-2:] == [
        "provider_sync.run.completed.v1",
        "provider_sync.connection.recovered.v1",
    ]


async def test_what_has_no_tokens_can_not_be_repaired(user, tell, connected, stored):
    await tell("withdrawn", user.customer)
    await tell("repaired", user.customer)
    assert (await stored(connected)).status == "needs_reauth"


@pytest.mark.parametrize("kind", ["refused", "withdrawn", "ends_soon"])
async def test_what_was_written_before_access_was_given_anew_is_about_the_old_one(user, tell, connected, stored, kind):
    ends_at, before = (now() + timedelta(days=5)).isoformat(), now() - timedelta(seconds=2)
    await tell(kind, user.customer, ends_at=ends_at, written_at=before.isoformat())
    found = await stored(connected)
    assert (found.status, found.reauth_by) == ("active", None)
    assert found.sealed_tokens
    same_second = found.linked_at.replace(microsecond=0)
    await tell(kind, user.customer, ends_at=ends_at, written_at=same_second.isoformat())
    found = await stored(connected)
    assert (found.status == "needs_reauth") is (kind != "ends_soon")
    assert (found.reauth_by is not None) is (kind == "ends_soon")


@pytest.mark.parametrize("kind", ["news", "refused", "withdrawn", "ends_soon", "repaired"])
async def test_a_removed_connection_is_left_alone(user, tell, connected, stored, resources, kind):
    await user.call("DELETE", f"/connections/{connected['id']}")
    before = await outbox_types(resources.engine)
    await tell(kind, user.customer, ends_at=now().isoformat())
    assert await outbox_types(resources.engine) == before
    assert (await stored(connected)).status == "revoked"
    assert (await stored(connected)).reauth_by is None


async def test_all_who_gave_access_to_the_same_are_concerned_up_to_a_bound(user, stranger, tell, stored, monkeypatch):
    stranger.customer = user.customer
    both = [await user.connect(), await stranger.connect()]
    monkeypatch.setattr(service, "MOST", 1)
    await tell("refused", user.customer)
    assert [(await stored(each)).status for each in both] == ["needs_reauth", "active"]
    monkeypatch.setattr(service, "MOST", 2)
    await tell("refused", user.customer)
    assert [(await stored(each)).status for each in both] == ["needs_reauth", "needs_reauth"]


async def test_what_could_not_be_kept_is_not_said_to_be_taken(user, tell, connected):
    """A provider that hears of success never tells again."""

    def fails(_: Session) -> None:
        raise ConnectionError("the store is away")

    event.listen(Session, "before_commit", fails)
    try:
        await tell("news", user.customer, status=503)
    finally:
        event.remove(Session, "before_commit", fails)
    assert await runs(user, connected) == [("initial", "completed")]
    await tell("news", user.customer)
    assert (await runs(user, connected))[0] == ("webhook", "queued")


async def test_all_kinds_at_once_meet_runs_without_a_deadlock(user, stranger, tell, resources):
    stranger.customer = user.customer
    both = [await user.connect(), await stranger.connect()]
    telling = [tell(kind, user.customer) for kind in ("news", "refused", "repaired") for _ in range(10)]
    running = [SyncRunner(resources).run(each["id"]) for each in both for _ in range(3)]
    await asyncio.gather(*telling, *running)
