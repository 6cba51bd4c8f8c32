"""The sandbox's app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from grove_sandbox import control, hooks, oidc, plaid, schwab, sms
from grove_sandbox.banking import api, oauth
from grove_sandbox.banking import control as bank_control
from grove_sandbox.banking.bank import Bank
from grove_sandbox.banking.notices import Notices
from grove_sandbox.faults import FaultMiddleware, Faults
from grove_sandbox.issuer import Issuer
from grove_sandbox.settings import SandboxSettings
from grove_sandbox.world import World


def create_app(settings: SandboxSettings) -> FastAPI:
    """An app with a world of its own."""
    app = FastAPI(title="Grove sandbox", docs_url=None, redoc_url=None, lifespan=_lifespan)
    app.state.settings = settings
    app.state.world = World()
    app.state.bank = Bank(settings)
    app.state.notices = Notices(settings)
    app.state.issuer = Issuer()
    app.state.faults = Faults()
    app.state.messages = sms.new_messages()
    app.state.receivers = {}
    app.include_router(oauth.pages)
    app.include_router(oauth.router)
    app.include_router(oidc.router)
    app.include_router(api.router)
    app.include_router(bank_control.router)
    app.include_router(control.router)
    app.include_router(sms.router)
    app.include_router(hooks.router)
    plaid.install(app)
    schwab.install(app)
    app.add_middleware(FaultMiddleware, faults=app.state.faults)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.notices.aclose()
