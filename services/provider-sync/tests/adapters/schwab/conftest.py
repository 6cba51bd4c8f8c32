"""Schwab alone in the service, played by the sandbox over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlparse

import httpx2
import pytest
from alembic import command
from fastapi import FastAPI

from grove.core.ids import new_id
from grove.postgres.migrations import config
from grove_provider_sync.adapters.schwab.adapter import SchwabProvider
from grove_provider_sync.adapters.schwab.settings import SchwabSettings
from grove_provider_sync.main import build
from grove_provider_sync.providers.adapters import AdapterSettings
from grove_provider_sync.providers.interface import Asking, Grant, Return
from grove_provider_sync.resources import Resources

BACK = "https://client.test/back"


@pytest.fixture(scope="session")
def offered(sandbox) -> list[AdapterSettings]:
    return [SchwabSettings(schwab_url=f"{sandbox}/schwab", schwab_client_id="grove", schwab_calls_per_minute=0)]


@pytest.fixture(scope="session")
async def resources(settings, offered) -> AsyncIterator[Resources]:
    await asyncio.to_thread(command.upgrade, config(settings), "head")
    resources = Resources(settings, offered)
    yield resources
    await resources.aclose()


@pytest.fixture(scope="session")
def app(settings, resources) -> FastAPI:
    return build(settings, resources)


class Link:
    """A customer who signs in."""

    def __init__(self, provider: SchwabProvider, world: httpx2.AsyncClient) -> None:
        self.provider, self.world = provider, world
        self.customer = f"customer-{new_id().hex[-8:]}"
        self.control = f"/control/customers/{self.customer}"

    async def code(self) -> str:
        asking = Asking(state="st", challenge="unused", redirect_uri=BACK, user="somebody")
        url = urlparse((await self.provider.authorize(asking)).url)
        form = {name: values[0] for name, values in parse_qs(url.query).items()}
        answer = await self.world.post(url.path, data=form | {"customer": self.customer})
        return parse_qs(urlparse(answer.headers["location"]).query)["code"][0]

    async def grant(self) -> Grant:
        return await self.provider.exchange(self.back(await self.code()))

    def back(self, code: str | None) -> Return:
        return Return(code=code, verifier="unused", redirect_uri=BACK)

    async def behave(self, **conduct) -> None:
        assert (await self.world.put("/control/bank", json=conduct)).status_code == 204

    async def fault(self, path: str, **fault) -> None:
        body = {"path": f"/schwab{path}"} | fault
        assert (await self.world.post("/control/faults", json=body)).status_code == 204

    async def theirs(self) -> list[dict]:
        return (await self.world.get(f"{self.control}/transactions")).json()


@pytest.fixture
async def link(resources, world) -> AsyncIterator[Link]:
    await world.delete("/control/bank")
    yield Link(resources.providers.get("schwab"), world)
    await world.delete("/control/bank")
