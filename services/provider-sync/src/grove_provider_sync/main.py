"""The api process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from grove.core.settings import load
from grove.postgres.engine import is_unavailable
from grove.service.dead_letters import event_routes
from grove.service.server import background, configure, run_api
from grove.web.app import create_app
from grove_provider_sync.api import ROUTERS
from grove_provider_sync.providers.registry import load_adapters
from grove_provider_sync.resources import Resources
from grove_provider_sync.settings import ProviderSyncSettings
from grove_provider_sync.sync.jobs import QUEUE as JOBS


def build(settings: ProviderSyncSettings, resources: Resources) -> FastAPI:
    """The app around `resources`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with background({"revocations": resources.sign_in.feed.run}):
            yield
        await resources.aclose()

    app = create_app(
        settings,
        title="Grove provider-sync",
        description="Accounts and transactions from outside providers.",
        routers=(*ROUTERS, event_routes(settings.service, resources.broker, resources.outbox, JOBS)),
        lifespan=lifespan,
        health=resources.api_health(),
        unavailable=is_unavailable,
    )
    app.state.resources = resources
    app.state.authenticator = resources.sign_in.authenticator
    return app


def run() -> None:
    """Serve until stopped."""
    settings = load(ProviderSyncSettings)
    configure(settings)
    resources = Resources(settings, load_adapters(settings))
    run_api(settings, build(settings, resources), resources.tls, resources.api_health())
