"""Plaid alone in the service, played by a real sandbox over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from urllib.parse import parse_qs, urlparse

import httpx2
import pytest
import uvicorn
from alembic import command
from fastapi import FastAPI
from pydantic import SecretStr

from grove.core.ids import new_id
from grove.postgres.migrations import config
from grove.service.server import _Server
from grove_provider_sync.adapters.plaid.settings import PlaidSettings
from grove_provider_sync.main import build
from grove_provider_sync.providers.adapters import AdapterSettings
from grove_provider_sync.providers.interface import Asking, Grant, Return, Tokens
from grove_provider_sync.resources import Resources
from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings
from grove_stack.ports import free_port
from grove_stack.testing.plugin import Stores

API = "/api/v1"
BACK = "https://grove.test/callback"


@pytest.fixture(scope="session")
async def sandbox(stores: Stores) -> AsyncIterator[str]:
    secret = stores.layout.secret("provider-sync", "plaid_secret")
    port = free_port()
    app = create_app(SandboxSettings(plaid_secret=SecretStr(secret)))
    server = _Server(uvicorn.Config(app, port=port, log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
def offered(sandbox) -> list[AdapterSettings]:
    return [
        PlaidSettings(
            plaid_url=f"{sandbox}/plaid",
            plaid_client_id="grove",
            plaid_page_size=25,
            plaid_webhook_url="https://grove.test/hooks",
            plaid_calls_per_minute=0,
            plaid_item_calls_per_minute=0,
        )
    ]


@pytest.fixture(scope="session")
async def resources(settings, offered) -> AsyncIterator[Resources]:
    await asyncio.to_thread(command.upgrade, config(settings), "head")
    resources = Resources(settings, offered)
    yield resources
    await resources.aclose()


@pytest.fixture(scope="session")
def app(settings, resources) -> FastAPI:
    return build(settings, resources)


@pytest.fixture
def plaid(resources):
    """The adapter."""
    return resources.providers.get("plaid")


class PlaidWorld:
    """The sandbox's Plaid, and what it is told to do."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def visit(self, url: str, *, customer: str = "ada", decision: str = "allow") -> dict[str, str]:
        """Go through Plaid's page; what the user is sent back with."""
        answer = await self.http.post(url, data={"customer": customer, "decision": decision})
        assert answer.status_code == 303, answer.text
        return {name: values[0] for name, values in parse_qs(urlparse(answer.headers["location"]).query).items()}

    async def items(self, customer: str) -> list[dict]:
        return (await self.http.get("/control/plaid/items", params={"customer": customer})).json()

    async def behave(self, item_id: str, **conduct) -> None:
        answer = await self.http.put(f"/control/plaid/items/{item_id}", json=conduct)
        assert answer.status_code == 204, answer.text

    async def fail(self, item_id: str, code: str, **how) -> None:
        await self.behave(item_id, failing={"code": code, **how})

    async def forget_cursors(self, item_id: str) -> None:
        await self.http.delete(f"/control/plaid/items/{item_id}/cursors")

    async def calls(self, path: str) -> int:
        return (await self.http.get("/control/plaid/calls")).json().get(path, 0)

    async def webhook(self, item_id: str, kind: str, code: str, /, *, wrong: str | None = None, **more):
        """Headers and body."""
        wanted = {"webhook_type": kind, "webhook_code": code, "more": more, "wrong": wrong}
        made = (await self.http.post(f"/control/plaid/items/{item_id}/webhooks", json=wanted)).json()
        return made["headers"], made["body"].encode()

    async def rotate(self, *, expire: bool) -> None:
        await self.http.post("/control/plaid/keys", params={"expire": expire})


@pytest.fixture
async def world(sandbox) -> AsyncIterator[PlaidWorld]:
    async with httpx2.AsyncClient(base_url=sandbox, trust_env=False) as http:
        yield PlaidWorld(http)
        await http.delete("/control/faults")


class Linker:
    """Links a customer by the adapter alone, without the service."""

    def __init__(self, plaid, world: PlaidWorld) -> None:
        self._plaid, self._world = plaid, world
        self.customer = f"customer-{new_id().hex[-8:]}"

    async def begin(self, held: Tokens | None = None):
        return await self._plaid.authorize(Asking("st", "", BACK, "somebody", held))

    async def finish(self, secret: str | None, held: Tokens | None = None) -> Grant:
        return await self._plaid.exchange(Return(None, "", BACK, secret, held))

    async def linked(self) -> Grant:
        consent = await self.begin()
        await self._world.visit(consent.url, customer=self.customer)
        return await self.finish(consent.secret)


@pytest.fixture
def linker(plaid, world) -> Linker:
    return Linker(plaid, world)


class User:
    """Somebody with a customer of the same name."""

    def __init__(self, client, world: PlaidWorld, issuer) -> None:
        self.client, self.world = client, world
        self.id = new_id()
        self.customer = f"customer-{self.id.hex[-8:]}"
        self.headers = issuer.headers(self.id)

    async def call(self, method: str, path: str, **kwargs) -> httpx2.Response:
        return await self.client.request(method, f"{API}{path}", headers=self.headers, **kwargs)

    async def begin(self) -> dict:
        answer = await self.call("POST", "/connections", json={"provider": "plaid"})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def finish(self, started: dict, decision: str = "allow") -> httpx2.Response:
        back = await self.world.visit(started["authorization_url"], customer=self.customer, decision=decision)
        return await self.call("GET", "/connections/callback", params=back)

    async def connect(self) -> dict:
        answer = await self.finish(await self.begin())
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def item(self) -> str:
        """The id of their newest item."""
        return (await self.world.items(self.customer))[-1]["id"]

    async def sync(self, runner, connection: dict) -> dict:
        await self.call("POST", f"/connections/{connection['id']}/sync")
        await runner.run(connection["id"])
        return (await self.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"][0]

    async def standing(self, connection: dict) -> dict:
        return (await self.call("GET", f"/connections/{connection['id']}")).json()

    async def transactions(self) -> dict[str, tuple[str, Decimal]]:
        """Description and amount, by id."""
        found = []
        for page in (1, 2):
            found += (await self.call("GET", f"/transactions?size=100&page={page}")).json()["items"]
        return {item["id"]: (item["description"], Decimal(item["amount"])) for item in found}


@pytest.fixture
def user(client, world, issuer) -> User:
    return User(client, world, issuer)
