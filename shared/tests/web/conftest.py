"""An app as services make it, with one route of each kind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter
from pydantic import Field

from grove.core.errors import NotFound
from grove.core.schema import Incoming
from grove.core.settings import AppSettings
from grove.observability.health import Health
from grove.security.principal import Principal
from grove.testing.tokens import OpenGate
from grove.web.app import create_app
from grove.web.auth import Authenticator, callers, require
from grove.web.body import GroveRoute
from grove.web.rate_limit import Limit, RateLimiter


class NoValkey:
    """A Valkey that is away."""

    async def evalsha(self, *_):
        raise ConnectionError("away")


class Body(Incoming):
    title: Annotated[str, Field(min_length=1, max_length=20)]
    extra: object = None


class StoreLost(Exception):
    pass


router = APIRouter(prefix="/api/v1", route_class=GroveRoute)


@router.post("/things")
async def create(data: Body) -> dict[str, object]:
    return {"title": data.title}


@router.get("/things/{number}")
async def read(number: int) -> dict[str, int]:
    raise NotFound(details=[{"field": "number", "message": str(number), "type": "x"}])


@router.get("/mine")
async def mine(user: Annotated[Principal, require("tasks:read", limit=Limit("mine", 3, 60))]) -> dict[str, str]:
    return {"user": str(user.user_id)}


@router.get("/admin")
async def admin(_: Annotated[Principal, require("users:write")]) -> None:
    return None


@router.get("/account")
async def account(_: Annotated[Principal, require("tasks:read", api_keys=False)]) -> None:
    return None


@router.get("/delicate")
async def delicate(_: Annotated[Principal, require("tasks:read", step_up=True)]) -> None:
    return None


@router.get("/broken")
async def broken() -> None:
    raise ZeroDivisionError("password=hunter2")


@router.get("/lost")
async def lost() -> None:
    raise StoreLost


internal = APIRouter(prefix="/internal/v1", route_class=GroveRoute)


@internal.get("/named", dependencies=[callers("auth")])
async def named() -> dict[str, bool]:
    return {"ok": True}


@internal.get("/any", dependencies=[callers()])
async def anyone() -> dict[str, bool]:
    return {"ok": True}


class Peer:
    """Sets the peer's identity, as the TLS listener does."""

    def __init__(self, app, identity: str | None) -> None:
        self.app, self.identity = app, identity

    async def __call__(self, scope, receive, send) -> None:
        scope["state"] = {"peer": self.identity}
        await self.app(scope, receive, send)


@pytest.fixture
def gate() -> OpenGate:
    return OpenGate()


@pytest.fixture
def app(issuer, gate):
    @asynccontextmanager
    async def lifespan(_) -> AsyncIterator[None]:
        yield

    app = create_app(
        AppSettings(public_url="https://portal.test"),
        title="Test",
        description="",
        routers=[router, internal],
        lifespan=lifespan,
        health=Health(),
        unavailable=lambda error: isinstance(error, StoreLost),
    )
    app.state.authenticator = Authenticator(issuer.verifier(), gate, RateLimiter(NoValkey(), "test"))
    return app


@pytest.fixture
def client_as(app):
    """A client whose certificate names this identity: client_as("spiffe://grove/traefik")."""

    def make(identity: str | None = None) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(Peer(app, identity), raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="https://api.test")

    return make


@pytest.fixture
async def client(client_as) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_as() as client:
        yield client
