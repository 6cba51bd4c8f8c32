"""What tests of tokens need: connections whose access token has ended, and what the sandbox was asked."""

import pytest
from sqlalchemy import select

from grove.core.clock import now
from grove_provider_sync.models import Connection
from grove_provider_sync.providers.interface import Tokens
from grove_provider_sync.tokens import sealing


@pytest.fixture
def stored(resources):
    """The rows of a table, by id."""

    async def stored(model=Connection):
        async with resources.sessions() as session:
            return (await session.scalars(select(model).order_by(model.id))).all()

    return stored


@pytest.fixture
def held(resources):
    """The tokens of a connection."""

    async def held(connection: dict) -> Tokens:
        async with resources.sessions() as session:
            return sealing.stored(resources.token_cipher, await session.get(Connection, connection["id"]))

    return held


@pytest.fixture
def expired(resources, user):
    """A new connection whose access token has ended by our clock."""

    async def expired() -> dict:
        connection = await user.connect()
        async with resources.sessions.begin() as session:
            found = await session.get(Connection, connection["id"])
            tokens = sealing.stored(resources.token_cipher, found)
            ended = Tokens(tokens.access_token, tokens.refresh_token, now())
            sealing.store(resources.token_cipher, found, ended)
        return connection

    return expired


@pytest.fixture
async def refreshes(world):
    """How often the sandbox was asked to refresh since the test began."""

    async def all_of_them() -> int:
        return (await world.get("/control/calls")).json().get("refresh_token", 0)

    before = await all_of_them()

    async def refreshes() -> int:
        return await all_of_them() - before

    return refreshes


@pytest.fixture
async def rotate(world):
    """Has the sandbox answer a refresh with a new refresh token, none, or the same."""

    async def rotate(rotation: str) -> None:
        answer = await world.put("/control/bank", json={"rotation": rotation})
        assert answer.status_code == 204, answer.text

    yield rotate
    await world.delete("/control/bank")
