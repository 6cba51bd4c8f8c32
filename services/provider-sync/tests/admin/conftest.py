"""An operator, and what is stored."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from sqlalchemy import func, select, text

from grove.core.ids import new_id
from grove_provider_sync.admin.sweeping import DeadTokenSweep
from grove_provider_sync.models import Connection
from grove_provider_sync.resources import Resources

ADMIN = "/api/v1/admin/provider-sync"


class Operator:
    """Somebody who may end access."""

    def __init__(self, client, issuer) -> None:
        self.id = new_id()
        self._client = client
        self._headers = issuer.headers(self.id, scope="providers:revoke")

    async def get(self, path: str, **params) -> dict:
        answer = await self._client.get(f"{ADMIN}{path}", params=params, headers=self._headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: dict) -> httpx2.Response:
        return await self._client.post(f"{ADMIN}{path}", json=body, headers=self._headers)

    async def revoke_all(self, key: str = "sandbox") -> int:
        answer = await self.post(f"/providers/{key}/revoke-all", {"reason": "A breach."})
        assert answer.status_code == 202, answer.text
        return answer.json()["connections"]


@pytest.fixture
def operator(client, issuer) -> Operator:
    return Operator(client, issuer)


@pytest.fixture
def stored(resources):
    """Rows of connections, by id; by default of all."""

    async def stored(*ids: str) -> list[Connection]:
        async with resources.sessions() as session:
            found = select(Connection).order_by(Connection.id)
            return list(await session.scalars(found.where(Connection.id.in_(ids)) if ids else found))

    return stored


@pytest.fixture
def told(resources):
    """Why each user was asked to reconnect, in the order in which they were told."""

    async def told() -> list[tuple[str, str]]:
        asked = "SELECT body FROM outbox WHERE type = 'provider_sync.connection.needs_reauth.v1' ORDER BY position"
        async with resources.engine.connect() as connection:
            facts = [json.loads(row.body)["data"] for row in await connection.execute(text(asked))]
        return [(fact["connection_id"], fact["reason_code"]) for fact in facts]

    return told


@pytest.fixture
async def bank(world):
    """What the bank counted: `await bank()` gives the calls of each path."""
    await world.delete("/control/bank")

    async def calls() -> dict[str, int]:
        return (await world.get("/control/bank")).json()["calls"]

    return calls


@pytest.fixture
def sweep(resources):
    """Sweep until nothing is left."""

    async def sweep() -> None:
        sweeper = DeadTokenSweep(resources)
        while await sweeper.sweep():
            pass

    return sweep


@pytest.fixture
def people(client, world, issuer, user):
    """Makes users, each with a connection that has not run yet."""

    async def people(count: int) -> list[tuple[object, dict]]:
        users = [type(user)(client, world, issuer) for _ in range(count)]
        return [(each, await each.connect()) for each in users]

    return people


@pytest.fixture
async def eager(settings, offered) -> AsyncIterator[Resources]:
    """Those of a process that refreshes all tokens, however young."""
    found = Resources(settings.model_copy(update={"refresh_ahead_seconds": 2000}), offered)
    yield found
    await found.aclose()


@pytest.fixture
def count(resources):
    """How many rows there are."""

    async def count(model, *conditions) -> int:
        async with resources.sessions() as session:
            return await session.scalar(select(func.count()).select_from(model).where(*conditions))

    return count


class Gate:
    """Holds who comes until it is opened."""

    def __init__(self) -> None:
        self.waiting = 0
        self._opened = asyncio.Event()
        self._came = asyncio.Condition()

    async def __call__(self) -> None:
        async with self._came:
            self.waiting += 1
            self._came.notify_all()
        await self._opened.wait()

    async def held(self, number: int) -> None:
        async with self._came:
            await self._came.wait_for(lambda: self.waiting >= number)

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate() -> Gate:
    return Gate()
