"""A month of many connections at a provider that rotates, expires, throttles, hangs, drops answers midway, changes its
data between pages and takes consents back, while workers are killed at random: at its end we hold what it holds.
"""

import asyncio
import os
import random
import time
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlparse
from uuid import UUID

import asyncpg
import httpx2
import pytest

from grove_stack.plan import Plan
from grove_stack.settings import StackSettings
from grove_stack.testing.crew import Crew, crew

SOAK = int(os.environ.get("GROVE_ROUNDS", "1")) > 1
CONNECTIONS = 200 if SOAK else 24
PEOPLE = 10 if SOAK else 4
DAYS = 30 if SOAK else 6
LONGEST_DAY_SECONDS = 30
TOKEN_SECONDS = 5
WORKERS, KILLS = 2, 4 * (5 if SOAK else 1)
SETTLING_SECONDS = 60 + CONNECTIONS
SEED = 20260701

CALLS, CUSTOMER_CALLS = 240, 24
"""What the sandbox takes in a second. We keep to two thirds: what left in time may arrive late, and with the next."""
WEATHER = {
    "unavailable": 0.06,
    "throttled": 0.01,
    "hangs": 0.01,
    "dropped": 0.05,
    "garbled": 0.02,
    "moved": 0.06,
    "token_unavailable": 0.1,
}
HASTE = {
    "SYNC_INTERVAL_MINUTES": "0.05",
    "SYNC_RETRY_SECONDS": "1",
    "SYNC_LEASE_SECONDS": "5",
    "PROVIDER_TOTAL_SECONDS": "4",
    "PROVIDER_WAIT_SECONDS": "2",
    "REFRESH_AHEAD_SECONDS": "1",
    "SANDBOX_CALLS_PER_SECOND": str(CALLS * 2 // 3),
    "SANDBOX_CONNECTION_CALLS_PER_SECOND": str(CUSTOMER_CALLS * 2 // 3),
}


UNSETTLED = """
SELECT c.id, c.status, c.status_detail, c.failures, c.next_sync_at, c.lease_until, c.refreshing_until,
    r.status AS run, r.trigger, r.created_at, r.started_at, r.not_before, r.handed_over_at, r.pages, r.restarts, r.error
FROM connections c LEFT JOIN LATERAL (
    SELECT * FROM sync_runs WHERE connection_id = c.id ORDER BY created_at DESC LIMIT 1
) r ON true
WHERE c.id = ANY($1) AND c.status <> 'needs_reauth' AND NOT (c.status = 'active' AND EXISTS (
    SELECT FROM sync_runs WHERE connection_id = c.id AND status = 'completed' AND started_at > $2))
"""


class Bank:
    """The sandbox, as those see it who make its weather."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client, self._url = client, url

    async def call(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = await self._client.request(method, f"{self._url}/control{path}", **kwargs)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json() if answer.content else None

    async def conduct(self, **values: Any) -> None:
        await self.call("PUT", "/bank", json=values)

    async def consent(self, authorization_url: str, customer: str) -> dict[str, str]:
        form = {name: values[0] for name, values in parse_qs(urlparse(authorization_url).query).items()}
        page = f"{self._url}/oauth/authorize"
        answer = await self._client.post(page, data=form | {"decision": "allow", "customer": customer})
        return {name: values[0] for name, values in parse_qs(urlparse(answer.headers["location"]).query).items()}


async def kill_at_random(workers: Crew) -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same at each run
    while True:
        await workers.kill(chance.randrange(WORKERS), after_seconds=chance.uniform(0.5, 2))


@pytest.fixture
def plan(suite) -> Plan:
    return Plan(StackSettings(state_dir=suite.folder, https_port=0, http_port=0, durable=False))


@pytest.fixture
async def bank(suite, client):
    bank = Bank(client, f"http://{suite.process('sandbox')['address']}")
    yield bank
    await bank.call("DELETE", "/bank")


@pytest.fixture
def rows(plan):
    async def rows(query: str, *values: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=plan.ports.pick("postgres"),
            user="provider_sync",
            database="provider_sync",
            password=plan.layout.secret("provider-sync", "database_password"),
        )
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()

    return rows


@pytest.fixture
def no_worker(suite):
    """Nothing is synchronised but by the crew, in its haste."""
    suite.grove("stack", "up", "--scale", "provider-sync-worker=0")
    yield
    suite.grove("stack", "up", "--scale", "provider-sync-worker=1")


@pytest.fixture
async def connections(no_worker, register, bank) -> dict[UUID, str]:
    """Connections of several people, each to a customer of its own: id → customer."""
    await bank.conduct(access_token_seconds=TOKEN_SECONDS)
    people = await asyncio.gather(*(register() for _ in range(PEOPLE)))
    made: dict[UUID, str] = {}
    for number in range(CONNECTIONS):
        person, customer = people[number % PEOPLE], f"month-{number}"
        started = (await person.call("POST", "/connections", json={"provider": "sandbox"})).json()
        params = await bank.consent(started["authorization_url"], customer)
        answer = await person.call("GET", "/connections/callback", params=params)
        assert answer.status_code == 200, answer.text
        made[UUID(started["id"])] = customer
    return made


@pytest.mark.timeout(300 + DAYS * LONGEST_DAY_SECONDS + SETTLING_SECONDS + CONNECTIONS)
async def test_after_a_month_of_bad_weather_we_hold_what_the_provider_holds(plan, bank, connections, rows, wait_until):
    chance = random.Random(SEED)  # noqa: S311 - the same at each run
    limits = {"calls_per_second": CALLS, "customer_calls_per_second": CUSTOMER_CALLS, "page_size": 25}
    withdrawn: set[str] = set()
    async with crew(plan, "provider-sync", copies=WORKERS, job="jobs", **HASTE) as workers:
        workers.begin_killing(kill_at_random(workers))
        for day in count():
            if day >= DAYS and workers.killed >= KILLS:
                break
            rotation = ("new", "new", "none", "same")[day % 4]
            weather = {"weather": WEATHER, "seed": SEED + day, "hang_seconds": 6}
            await bank.conduct(rotation=rotation, access_token_seconds=TOKEN_SECONDS, **limits, **weather)
            for customer in connections.values():
                life = {"steps": chance.randrange(1, 8), "seed": chance.randrange(2**31)}
                await bank.call("POST", f"/customers/{customer}/life", params=life)
            if day % 5 == 3 and len(withdrawn) < CONNECTIONS // 6:
                gone = chance.choice(sorted(set(connections.values()) - withdrawn))
                await bank.call("POST", f"/customers/{gone}/revoke")
                withdrawn.add(gone)
            await day_ends(rows, list(connections))
        await workers.spare()
        await bank.conduct(access_token_seconds=1800, **limits)
        [calm] = await rows("SELECT clock_timestamp() AS moment")

        unsettled = partial(rows, UNSETTLED, list(connections), calm["moment"])
        with suppress(TimeoutError):
            await wait_until(lambda: nothing_of(unsettled), SETTLING_SECONDS)
        assert [dict(row) for row in await unsettled()] == [], "stuck"
    told = await bank.call("GET", "/bank")
    assert told["exceeded"] == 0
    assert told["faults"].keys() >= {"unavailable", "dropped", "token_unavailable"}, "there was weather"
    await nothing_is_lost_or_doubled(bank, connections, rows)
    await tokens_were_used_once(told, connections, withdrawn, rows)


async def day_ends(rows: Any, ids: list[UUID]) -> None:
    """Once half of the connections were synchronised in it; a slow machine has longer days."""
    [began] = await rows("SELECT clock_timestamp() AS moment")
    done = "SELECT count(*) FROM sync_runs WHERE connection_id = ANY($1) AND status = 'completed' AND started_at > $2"
    until = time.monotonic() + LONGEST_DAY_SECONDS
    while time.monotonic() < until:
        await asyncio.sleep(0.5)
        if (await rows(done, ids, began["moment"]))[0]["count"] >= CONNECTIONS // 2:
            return


async def nothing_of(found: Any) -> bool:
    return not await found()


async def nothing_is_lost_or_doubled(bank: Bank, connections: dict[UUID, str], rows: Any) -> None:
    """Every active connection has the accounts and bookings of its customer, value for value."""
    active = [row["id"] for row in await rows("SELECT id FROM connections WHERE status = 'active'")]
    assert len(set(active) & connections.keys()) >= CONNECTIONS * 2 // 3
    for connection_id in set(active) & connections.keys():
        customer = connections[connection_id]
        theirs = {item["id"]: fields(item) for item in await bank.call("GET", f"/customers/{customer}/transactions")}
        query = """
            SELECT t.provider_id AS id, a.provider_id AS account_id, t.amount::text, t.currency, t.description,
                t.category, t.status, t.booked_at::text AS booked_on, t.value_at::text AS value_on
            FROM transactions t JOIN accounts a ON a.id = t.account_id
            WHERE t.connection_id = $1 AND t.removed_at IS NULL
        """
        ours = await rows(query, connection_id)
        assert {row["id"]: fields(row) for row in ours} == theirs, customer
        assert len(ours) == len(theirs)
        open_accounts = await rows(
            "SELECT provider_id, balance FROM accounts WHERE connection_id = $1 AND closed_at IS NULL", connection_id
        )
        listed = await bank.call("GET", f"/customers/{customer}/accounts")
        assert {row["provider_id"]: float(row["balance"]) for row in open_accounts} == {
            item["id"]: float(item["balance"]) for item in listed
        }


def fields(item: Any) -> dict[str, Any]:
    names = ("account_id", "currency", "description", "category", "status", "booked_on", "value_on")
    return {name: item[name] for name in names} | {"amount": float(item["amount"])}


async def tokens_were_used_once(told: Any, connections: dict[UUID, str], withdrawn: set[str], rows: Any) -> None:
    """A refresh token is used twice only where an answer of the provider was lost with the worker that waited for it;
    and only that, or the customer's own will, costs a connection its access.
    """
    rotated = await rows(
        "SELECT connection_id, count(*) FROM token_audit WHERE action = 'token_rotated' GROUP BY connection_id"
    )
    kept = {connections.get(row["connection_id"]): row["count"] for row in rotated}
    twice = set(told["refresh_tokens_used_twice"]["customers"])
    for customer in twice:
        assert told["refreshes"][customer] > kept.get(customer, 0), f"{customer}: no answer was lost"
    lost = await rows("SELECT id FROM connections WHERE status = 'needs_reauth' AND id = ANY($1)", list(connections))
    assert {connections[row["id"]] for row in lost} <= withdrawn | twice
