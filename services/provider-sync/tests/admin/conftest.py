"""An operator, and what is stored."""

import json

import httpx2
import pytest
from sqlalchemy import select, text

from grove.core.ids import new_id
from grove_provider_sync.models import Connection

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
