"""The auth service in the process, on real stores."""

import json
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest

from grove.contracts.event import Envelope
from grove.core.ids import new_id
from grove.messaging.broker import Broker
from grove.security.mtls import TlsMaterial
from grove.testing.http import client_of
from grove_auth.main import build
from grove_auth.migrate import prepare
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings
from grove_stack.testing.plugin import Stores

PASSWORD = "plant trees not walls"
AUTH = "/api/v1/auth"
CLEANED = (
    "audit_events",
    "users",
    "deleted_users",
    "password_resets",
    "password_attempts",
    "registrations",
    "sessions",
    "spent_tokens",
    "outbox",
    "outbox_leases",
    "inbox",
    "revocations",
    "api_keys",
)


@pytest.fixture(scope="session")
def settings(stores: Stores) -> AuthSettings:
    return stores.settings(AuthSettings, limits="development", argon2_memory_kib=8192, argon2_iterations=1)


@pytest.fixture(scope="session")
async def resources(stores: Stores, settings: AuthSettings) -> AsyncIterator[Resources]:
    await stores.plan.mongodb.create_users()
    await prepare(settings)
    await prepare(settings)
    resources = Resources(settings)
    await resources.start()
    yield resources
    await resources.aclose()


@pytest.fixture(autouse=True)
async def clean(request: pytest.FixtureRequest) -> None:
    if "resources" in request.fixturenames:
        database = request.getfixturevalue("resources").database
        for name in CLEANED:
            await database[name].delete_many({})


@pytest.fixture
async def client(settings, resources) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(build(settings, resources), base_url="https://auth.test") as client:
        yield client


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
                found.append({"template": event.data["template"], **json.loads(opened)})
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
async def stranger(client, outside) -> Person:
    return Person(client, outside)


@pytest.fixture
async def ada(client, outside) -> Person:
    person = Person(client, outside)
    assert (await person.register()).status_code == 202
    assert (await person.verify()).status_code == 204
    assert (await person.login()).status_code == 200
    return person


@pytest.fixture
def brokers(stores: Stores) -> Callable[[str], Broker]:
    """RabbitMQ as a service: brokers("auth")."""

    def broker(service: str) -> Broker:
        stores.layout.ensure_identity(service, f"{service}-test")
        tls = TlsMaterial(stores.layout.identity_file(f"{service}-test"), stores.layout.internal_ca.certificate_file)
        return Broker(f"amqps://127.0.0.1:{stores.plan.rabbitmq.port}/grove", tls, "test")

    return broker
