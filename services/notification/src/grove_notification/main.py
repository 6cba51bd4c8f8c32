"""The api process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from grove.core.settings import load
from grove.postgres.engine import is_unavailable
from grove.service.dead_letters import event_routes
from grove.service.server import background, configure, run_api
from grove.web.app import create_app
from grove_notification.api import ROUTERS
from grove_notification.resources import Resources
from grove_notification.settings import NotificationSettings


def build(settings: NotificationSettings, resources: Resources) -> FastAPI:
    """The app around `resources`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        jobs = {
            "revocations": resources.sign_in.feed.run,
            "live": resources.hub.run,
            "live_sweeper": resources.sweeper.run,
        }
        async with background(jobs):
            yield
        await resources.aclose()

    app = create_app(
        settings,
        title="Grove notification",
        description="Notifications: in-app, live and by mail.",
        routers=(*ROUTERS, event_routes(settings.service, resources.broker, resources.outbox)),
        lifespan=lifespan,
        health=resources.api_health(),
        unavailable=is_unavailable,
    )
    app.state.resources = resources
    app.state.authenticator = resources.sign_in.authenticator
    return app


def run() -> None:
    """Serve until stopped."""
    settings = load(NotificationSettings)
    configure(settings)
    resources = Resources(settings)
    app = build(settings, resources)
    run_api(settings, app, resources.tls, resources.api_health(), stopping=resources.hub.stop)
