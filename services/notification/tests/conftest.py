"""The notification service in the process, on real stores."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from grove.outbox.event import outbox_event
from grove.testing.http import client_of
from grove.testing.postgres import empty, migrate_both_ways
from grove.testing.tokens import AUDIENCE, ISSUER, Issuer, OpenGate
from grove.web.auth import Authenticator
from grove_notification.consumers import handlers
from grove_notification.mails.sending.sender import MailSender
from grove_notification.main import build
from grove_notification.models import Base
from grove_notification.resources import Resources
from grove_notification.settings import NotificationSettings
from grove_stack.testing.plugin import Stores


@pytest.fixture(scope="session")
def settings(stores: Stores) -> NotificationSettings:
    return stores.settings(
        NotificationSettings,
        public_auth_url=ISSUER,
        public_api_url=AUDIENCE,
        limits="development",
        mail_retry_seconds=[0, 3600],
    )


@pytest.fixture(scope="session")
async def resources(settings) -> AsyncIterator[Resources]:
    await asyncio.to_thread(migrate_both_ways, settings)
    resources = Resources(settings)
    yield resources
    await resources.aclose()


@pytest.fixture(autouse=True)
async def clean(request: pytest.FixtureRequest) -> None:
    if "resources" in request.fixturenames:
        await empty(request.getfixturevalue("resources").engine, Base.metadata)


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def gate() -> OpenGate:
    return OpenGate()


@pytest.fixture
async def sender(resources) -> AsyncIterator[MailSender]:
    sender = MailSender(resources)
    yield sender
    await sender.aclose()


@pytest.fixture(scope="session")
def built(settings, resources) -> FastAPI:
    """Made once: FastAPI prepares each route when it is first asked for."""
    return build(settings, resources)


@pytest.fixture
def app(built, resources, issuer, gate) -> FastAPI:
    built.state.authenticator = Authenticator(issuer.verifier(), gate, resources.limiter)
    resources.sign_in.authenticator, resources.sign_in.gate = built.state.authenticator, gate
    return built


@pytest.fixture
async def client(app) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def happen(resources, sender):
    """Have a fact arrive: await happen("auth", fact)."""

    async def happen(service: str, data, *, sequence: int = 1) -> bool:
        work = handlers(resources).parse(outbox_event(service, data, sequence=sequence).body)
        applied = await resources.inbox.apply([work])
        for one in applied:
            await one.committed()
        return bool(applied)

    return happen
