"""The api process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from grove.core.settings import load
from grove.mongo.client import is_unavailable
from grove.service.dead_letters import event_routes
from grove.service.server import background, configure, run_api
from grove.web.app import create_app
from grove_auth.api import ROUTERS
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings


def build(settings: AuthSettings, resources: Resources) -> FastAPI:
    """The app around `resources`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await resources.start()
        async with background({"revocations": resources.publisher.run}):
            yield
        await resources.aclose()

    app = create_app(
        settings,
        title="Grove auth",
        description="Accounts, sign-in and sessions.",
        routers=(*ROUTERS, event_routes(settings.service, resources.broker, resources.outbox)),
        lifespan=lifespan,
        health=resources.health(),
        unavailable=is_unavailable,
    )
    app.state.resources = resources
    app.state.authenticator = resources.authenticator
    return app


def run() -> None:
    """Serve until stopped."""
    settings = load(AuthSettings)
    configure(settings)
    resources = Resources(settings)
    run_api(settings, build(settings, resources), resources.tls, resources.health())
