"""The api process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from grove.core.settings import load
from grove.service.server import configure, run_api
from grove.web.app import create_app
from grove_gateway.api import ROUTERS
from grove_gateway.deps import Elsewhere, to_portal
from grove_gateway.operators.endpoints import refuse, to_sign_in
from grove_gateway.operators.errors import NotAnOperator, SignInNeeded
from grove_gateway.pages import problems
from grove_gateway.resources import Resources
from grove_gateway.settings import GatewaySettings


def build(settings: GatewaySettings, resources: Resources) -> FastAPI:
    """The app around `resources`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await resources.aclose()

    app = create_app(
        settings,
        title="Grove portal",
        description="Landing page, API reference, status.",
        routers=ROUTERS,
        lifespan=lifespan,
        health=resources.health(),
    )
    app.state.resources = resources
    problems.install(app)
    app.add_exception_handler(Elsewhere, to_portal)
    app.add_exception_handler(SignInNeeded, to_sign_in)
    app.add_exception_handler(NotAnOperator, refuse)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    return app


def run() -> None:
    """Serve until stopped."""
    settings = load(GatewaySettings)
    configure(settings)
    resources = Resources(settings)
    run_api(settings, build(settings, resources), resources.tls, resources.health())
