"""The provider-sync service in the process, on real stores, with a real sandbox over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from functools import partial
from urllib.parse import parse_qs, urlparse

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from grove.core.clock import now
from grove.core.ids import new_id
from grove.service.server import _Server
from grove.testing.http import client_of
from grove.testing.postgres import empty, migrate_both_ways
from grove.testing.tokens import AUDIENCE, ISSUER, Issuer, OpenGate
from grove.web.auth import Authenticator
from grove_provider_sync.adapters.sandbox.settings import SandboxSettings as SandboxProviderSettings
from grove_provider_sync.main import build
from grove_provider_sync.models import Account, Balance, Base, Connection, SyncRun, Transaction
from grove_provider_sync.providers.adapters import AdapterSettings
from grove_provider_sync.resources import Resources
from grove_provider_sync.settings import ProviderSyncSettings
from grove_provider_sync.sync.runner import SyncRunner
from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings
from grove_stack.ports import free_port
from grove_stack.testing.plugin import Stores

API = "/api/v1"


@pytest.fixture(scope="session")
async def sandbox(stores: Stores) -> AsyncIterator[str]:
    names = {"client_secret": "sandbox_client_secret", "webhook_secret": "sandbox_webhook_secret"}
    names |= {"schwab_client_secret": "schwab_client_secret"}
    secrets = {field: SecretStr(stores.layout.secret("provider-sync", name)) for field, name in names.items()}
    port = free_port()
    app = create_app(SandboxSettings(page_size=25, **secrets))
    server = _Server(uvicorn.Config(app, port=port, log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
def settings(stores: Stores, sandbox: str) -> ProviderSyncSettings:
    return stores.settings(
        ProviderSyncSettings,
        public_auth_url=ISSUER,
        public_api_url=AUDIENCE,
        limits="development",
        provider_total_seconds=1,
        callback_seconds=1,
    )


@pytest.fixture(scope="session")
def offered(sandbox) -> list[AdapterSettings]:
    return [SandboxProviderSettings(sandbox_url=sandbox)]


@pytest.fixture(scope="session")
async def resources(settings, offered) -> AsyncIterator[Resources]:
    await asyncio.to_thread(migrate_both_ways, settings)
    resources = Resources(settings, offered)
    yield resources
    await resources.aclose()


@pytest.fixture(autouse=True)
async def clean(request: pytest.FixtureRequest) -> None:
    if "resources" in request.fixturenames:
        resources = request.getfixturevalue("resources")
        async with resources.engine.begin() as connection:
            await connection.execute(text("TRUNCATE token_audit"))  # nothing less removes from it
        await empty(resources.engine, Base.metadata)
        await _calm(resources)


async def _calm(resources: Resources) -> None:
    """No provider is paused or avoided."""
    for provider in resources.providers.all():
        provider._http._client._breaker.succeeded()
        provider._http._turns._paused.clear()
        await resources.valkey.delete(f"provider-sync:pause:{provider.description.key}")


@pytest.fixture
def calm(resources):
    """Have what happened before forgotten: `await calm()`."""
    return partial(_calm, resources)


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="session")
def app(settings, resources) -> FastAPI:
    """Made once: FastAPI prepares each route when it is first asked for."""
    return build(settings, resources)


@pytest.fixture
async def client(app, resources, issuer) -> AsyncIterator[httpx2.AsyncClient]:
    app.state.authenticator = Authenticator(issuer.verifier(), OpenGate(), resources.limiter)
    resources.sign_in.authenticator = app.state.authenticator
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def world(sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=sandbox, trust_env=False) as world:
        yield world
        await world.delete("/control/faults")


@pytest.fixture
def runner(resources) -> SyncRunner:
    return SyncRunner(resources)


class User:
    """Somebody with a customer of the same name at the sandbox."""

    def __init__(self, client, world, issuer: Issuer) -> None:
        self.client, self.world = client, world
        self.id = new_id()
        self.customer = f"customer-{self.id.hex[-8:]}"
        self.headers = issuer.headers(self.id)

    async def call(self, method: str, path: str, **kwargs) -> httpx2.Response:
        headers = self.headers | kwargs.pop("headers", {})
        return await self.client.request(method, f"{API}{path}", headers=headers, **kwargs)

    async def begin(self) -> dict:
        answer = await self.call("POST", "/connections", json={"provider": "sandbox"})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def consent(self, authorization_url: str, decision: str = "allow") -> dict[str, str]:
        url = urlparse(authorization_url)
        form = {name: values[0] for name, values in parse_qs(url.query).items()}
        answer = await self.world.post(url.path, data=form | {"decision": decision, "customer": self.customer})
        assert answer.status_code == 303, answer.text
        return {name: values[0] for name, values in parse_qs(urlparse(answer.headers["location"]).query).items()}

    async def callback(self, params: dict[str, str], **kwargs) -> httpx2.Response:
        return await self.call("GET", "/connections/callback", params=params, **kwargs)

    async def connect(self) -> dict:
        started = await self.begin()
        answer = await self.callback(await self.consent(started["authorization_url"]))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def transactions(self) -> dict[str, str]:
        listed = (await self.call("GET", "/transactions?size=100&page=1")).json()
        rest = (await self.call("GET", "/transactions?size=100&page=2")).json()
        return {item["id"]: item["description"] for item in listed["items"] + rest["items"]}


@pytest.fixture
def user(client, world, issuer) -> User:
    return User(client, world, issuer)


@pytest.fixture
def stranger(client, world, issuer) -> User:
    return User(client, world, issuer)


def _usual() -> dict[type[Base], dict[str, object]]:
    """What a row has unless a test says otherwise."""
    made, told = now(), {"provider_id": str(new_id()), "currency": "EUR", "updated_at": now()}
    described = {"description": "Tram", "category": "transport", "status": "posted", "payload_hash": b""}
    return {
        Connection: {"provider": "sandbox", "status": "active", "status_detail": "Up to date.", "created_at": made},
        Account: told | {"name": "Everyday", "type": "checking", "balance": Decimal("10.00")},
        Transaction: told | described | {"amount": Decimal("-1.50"), "booked_at": date(2026, 11, 21)},
        Balance: {},
        SyncRun: {"trigger": "scheduled", "status": "completed", "created_at": made},
    }


@pytest.fixture
def held(resources):
    """Store a row as it would be after a run: `await held(Account, user_id=…, connection_id=…)`. Its key."""

    async def held(kind: type[Base], **fields):
        row = kind(**({"id": new_id()} if "id" in kind.__table__.columns else {}) | _usual()[kind] | fields)
        async with resources.sessions.begin() as session:
            session.add(row)
        return getattr(row, "id", None)

    return held
