"""The auth service in the process, on real stores."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

import httpx2
import pymongo.monitoring
import pytest
import uvicorn
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from fastapi import FastAPI
from pydantic import SecretStr
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from grove.contracts.event import Envelope
from grove.core.clock import now
from grove.core.ids import new_id
from grove.messaging.broker import Broker
from grove.security.mtls import TlsMaterial
from grove.service.server import _Server
from grove.testing.http import client_of
from grove_auth.main import build
from grove_auth.migrate import prepare
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings
from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings
from grove_stack.ports import free_port
from grove_stack.testing.plugin import Stores

PASSWORD = "plant trees not walls"
AUTH = "/api/v1/auth"
ADDRESS = "203.0.113.7"
"""Of clients in tests."""
PATIENT = {"socket_timeout": 30, "socket_connect_timeout": 30}
"""To Valkey, where tests count: a process that gives up on a slow one counts alone."""
BY_NETWORK = ("register", "password-reset", "anonymous")
CLEANED = (
    "captcha_solutions",
    "users",
    "deleted_users",
    "passkeys",
    "passkey_challenges",
    "email_changes",
    "email_undos",
    "known_places",
    "not_me_links",
    "password_resets",
    "password_attempts",
    "registrations",
    "sessions",
    "spent_tokens",
    "outbox",
    "outbox_leases",
    "inbox",
    "revocations",
    "second_factors",
    "mfa_challenges",
    "mfa_recoveries",
    "sent_codes",
    "trusted_devices",
    "identities",
    "oauth_flows",
    "oauth_codes",
    "api_keys",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


@pytest.fixture(scope="session")
async def sandbox(stores: Stores) -> AsyncIterator[str]:
    """The outside issuer, over HTTP."""
    secret = SecretStr(stores.layout.secret("auth", "oauth_sandbox_client_secret"))
    port = free_port()
    app = create_app(SandboxSettings(sign_in_client_secret=secret))
    server = _Server(uvicorn.Config(app, port=port, log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
def settings(stores: Stores, sandbox: str) -> AuthSettings:
    """Guessing in one test must not be held against the next: tests of CAPTCHA and networks switch them on."""
    return stores.settings(
        AuthSettings,
        limits="development",
        argon2_memory_kib=8192,
        argon2_iterations=1,
        captcha_after_failures=0,
        captcha_failure_rate=0,
        network_wrong_passwords=0,
        oauth_providers=[
            {"key": "sandbox", "kind": "oidc", "client_id": "grove-auth", "issuer": f"{sandbox}/oidc"},
        ],
        oauth_redirect_uris=["https://app.test/back", "https://app.test/?page=1"],
        oauth_seconds=1,
    )


class Statements(pymongo.monitoring.CommandListener):
    """What the database is asked, by name; and which collections were written to since they were cleaned."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.written: set[str] = set(CLEANED)

    def started(self, event: pymongo.monitoring.CommandStartedEvent) -> None:
        self.seen.append(event.command_name)
        if event.command_name in {"insert", "update", "findAndModify"}:
            self.written.add(event.command[event.command_name])

    def succeeded(self, event: pymongo.monitoring.CommandSucceededEvent) -> None:
        """Nothing to do."""

    def failed(self, event: pymongo.monitoring.CommandFailedEvent) -> None:
        """Nothing to do."""


@pytest.fixture(scope="session")
async def audit_as_root(stores: Stores) -> AsyncIterator[AsyncDatabase]:
    """The audit log in the hands of the one who may change it."""
    client = stores.plan.mongodb.as_root()
    options = CodecOptions(tz_aware=True, uuid_representation=UuidRepresentation.STANDARD)
    yield client.get_database("auth_audit", codec_options=options)
    await client.close()


@pytest.fixture(scope="session")
def statements() -> Statements:
    listener = Statements()
    pymongo.monitoring.register(listener)  # for clients that are made after this
    return listener


@pytest.fixture(scope="session")
async def resources(
    stores: Stores, settings: AuthSettings, statements: Statements, audit_as_root: AsyncDatabase
) -> AsyncIterator[Resources]:
    await stores.plan.mongodb.create_users()
    await stores.plan.mongodb.grant_roles()
    await prepare(settings)
    await prepare(settings)
    resources = Resources(settings)
    await resources.start()
    yield resources
    await resources.aclose()


async def empty(collection: AsyncCollection) -> None:
    """Again when what the test before left under way is in the way."""
    for tries_left in (2, 1, 0):
        try:
            await collection.delete_many({})
        except PyMongoError:
            if not tries_left:
                raise
        else:
            return


@pytest.fixture(autouse=True)
async def clean(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    if "resources" not in request.fixturenames:
        yield
        return
    resources, statements = request.getfixturevalue("resources"), request.getfixturevalue("statements")
    for name in statements.written.intersection(CLEANED):
        await empty(resources.database[name])
    statements.written.clear()
    for name in ("audit_events", "audit_seals"):
        await request.getfixturevalue("audit_as_root")[name].delete_many({})
    await resources.database["roles"].delete_many({"built_in": False})
    resources.roles.forget()
    for name in BY_NETWORK:  # hundreds of tests make accounts from one address
        await resources.valkey.delete(f"auth:limit:{name}:{ADDRESS}")
    yield
    if request.node.get_closest_marker("by_processes"):
        statements.written.update(CLEANED)


@pytest.fixture
async def one_key_is_left(resources) -> AsyncIterator[None]:
    """After a test that made signing keys: the newest, which signs."""
    yield
    keys = resources.database["signing_keys"]
    newest = await keys.find_one({}, sort=[("signs_from", -1)])
    await keys.delete_many({"_id": {"$ne": newest["_id"]}})
    await keys.update_one({"_id": newest["_id"]}, {"$set": {"signs_from": now(), "retires_at": None}})
    resources.keys.forget()


@pytest.fixture
def audited(resources):
    """The audit log's entries of an action, oldest first: await audited("user.blocked")."""

    async def audited(action: str) -> list[dict]:
        found = await resources.audit_database["audit_events"].find({"action": action}).sort("_id", 1).to_list()
        return [document["entry"] for document in found]

    return audited


@pytest.fixture(scope="session")
def app(settings, resources) -> FastAPI:
    """Made once: FastAPI prepares each route when it is first asked for."""
    return build(settings, resources)


@pytest.fixture
async def client(app) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app, base_url="https://auth.test") as client:
        yield client


class Replicas:
    """Makes further processes of the service, with other settings, on the same stores."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self.opened: list[Resources] = []

    async def __call__(self, **changes) -> httpx2.AsyncClient:
        settings = self._resources.settings.model_copy(update=changes)
        made = Resources(settings, self._resources.client)
        made.valkey.connection_pool.connection_kwargs |= PATIENT
        self.opened.append(made)
        return client_of(build(settings, made), base_url="https://auth.test")

    async def aclose(self) -> None:
        for made in self.opened:
            await made.valkey.aclose()
            made.passwords.close()


@pytest.fixture
def slow_hashes(resources, monkeypatch) -> None:
    """Checking a password takes so long that the queue fills, however slowly requests come in."""
    check = resources.passwords._check

    def slowly(password: str, stored: str) -> tuple[bool, str | None]:
        time.sleep(0.2)  # in a thread
        return check(password, stored)

    monkeypatch.setattr(resources.passwords, "_check", slowly)


@pytest.fixture
async def replica(resources) -> AsyncIterator[Replicas]:
    await resources.valkey.delete("auth:guesses:high", "auth:guesses:suite")
    replicas = Replicas(resources)
    yield replicas
    await replicas.aclose()
    await resources.valkey.delete("auth:guesses:high", "auth:guesses:suite")


class Outside:
    """What the world sees of auth: published events, and mails that were asked for."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def events(self) -> list[Envelope]:
        documents = await self._resources.database["outbox"].find({}).sort("_id", 1).to_list()
        return [Envelope.model_validate_json(document["body"]) for document in documents]

    async def facts(self) -> list[str]:
        return [event.type for event in await self.events() if event.type != "auth.mail.requested.v1"]

    async def mails(self) -> list[dict]:
        found = []
        for event in await self.events():
            if event.type == "auth.mail.requested.v1":
                opened = self._resources.mail_cipher.open(event.data["sealed"], purpose=f"mail:{event.data['mail_id']}")
                kept = {key: event.data.get(key) for key in ("template", "expires_at")}
                found.append({**kept, **json.loads(opened)})
        return found


@pytest.fixture
def outside(resources) -> Outside:
    return Outside(resources)


class Person:
    """Somebody with an account."""

    def __init__(self, client: httpx2.AsyncClient, outside: Outside) -> None:
        self.client, self.outside = client, outside
        self.email = f"{new_id().hex[-10:]}@example.com"
        self.tokens: dict = {}
        self.id = ""

    async def register(self, **changes) -> httpx2.Response:
        body = {"email": self.email, "password": PASSWORD, "name": "Ada"} | changes
        return await self.client.post(f"{AUTH}/register", json=body)

    async def verify(self) -> httpx2.Response:
        token = next(m for m in reversed(await self.outside.mails()) if m["to"] == self.email)["variables"]["token"]
        return await self.client.post(f"{AUTH}/verify-email", json={"token": token})

    async def login(self, **changes) -> httpx2.Response:
        headers = changes.pop("headers", None)
        body = {"email": self.email, "password": PASSWORD} | changes
        answer = await self.client.post(f"{AUTH}/login", json=body, headers=headers)
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    async def refresh(self, token: str | None = None) -> httpx2.Response:
        body = {"refresh_token": token or self.tokens["refresh_token"]}
        return await self.client.post(f"{AUTH}/refresh", json=body)


@pytest.fixture
def person_of(client, outside) -> Callable[[], Person]:
    """Makes somebody without an account."""
    return lambda: Person(client, outside)


@pytest.fixture
async def stranger(person_of) -> Person:
    return person_of()


@pytest.fixture
async def ada(client, outside) -> Person:
    person = Person(client, outside)
    assert (await person.register()).status_code == 202
    assert (await person.verify()).status_code == 204
    assert (await person.login()).status_code == 200
    return person


@pytest.fixture
async def person(client, outside, resources):
    """Somebody with roles beside `user`: await person("moderator")."""

    async def person(*roles: str) -> Person:
        somebody = Person(client, outside)
        await somebody.register()
        await somebody.verify()
        await resources.database["users"].update_one({"email": somebody.email}, {"$set": {"roles": ["user", *roles]}})
        await somebody.login()
        somebody.id = (await client.get(f"{AUTH}/me", headers=somebody.headers)).json()["id"]
        return somebody

    return person


@pytest.fixture
def brokers(stores: Stores) -> Callable[[str], Broker]:
    """RabbitMQ as a service: brokers("auth")."""

    def broker(service: str) -> Broker:
        stores.layout.ensure_identity(service, f"{service}-test")
        tls = TlsMaterial(stores.layout.identity_file(f"{service}-test"), stores.layout.internal_ca.certificate_file)
        return Broker(f"amqps://127.0.0.1:{stores.plan.rabbitmq.port}/grove", tls, "test")

    return broker
