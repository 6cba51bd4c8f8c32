"""The resource service in the process, on real stores."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from grove.testing.http import client_of
from grove.testing.postgres import empty, migrate_both_ways
from grove.testing.tokens import AUDIENCE, ISSUER, Issuer, OpenGate
from grove.web.auth import Authenticator
from grove_resource.main import build
from grove_resource.models import Base
from grove_resource.resources import Resources
from grove_resource.settings import ResourceSettings
from grove_stack.testing.plugin import Stores


@pytest.fixture(scope="session")
def settings(stores: Stores) -> ResourceSettings:
    return stores.settings(ResourceSettings, public_auth_url=ISSUER, public_api_url=AUDIENCE, limits="development")


@pytest.fixture(scope="session")
async def resources(settings: ResourceSettings) -> AsyncIterator[Resources]:
    await asyncio.to_thread(migrate_both_ways, settings)
    resources = Resources(settings)
    yield resources
    await resources.aclose()


@pytest.fixture(autouse=True)
async def clean(request: pytest.FixtureRequest) -> None:
    if "resources" in request.fixturenames:
        await empty(request.getfixturevalue("resources").engine, Base.metadata)


@pytest.fixture
def until_waiting(resources):
    """Until so many connections wait for what another one has locked."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async def until_waiting(count: int) -> None:
        async with asyncio.timeout(30), resources.engine.connect() as connection:
            while await connection.scalar(waiting) < count:
                await connection.rollback()  # the next look is a new one
                await asyncio.sleep(0.02)

    return until_waiting


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def gate() -> OpenGate:
    return OpenGate()


@pytest.fixture(scope="session")
def app(settings, resources) -> FastAPI:
    """Made once: FastAPI prepares each route when it is first asked for."""
    return build(settings, resources)


@pytest.fixture
async def client(app, resources, issuer, gate) -> AsyncIterator[httpx2.AsyncClient]:
    app.state.authenticator = Authenticator(issuer.verifier(), gate, resources.limiter)
    async with client_of(app) as client:
        yield client
