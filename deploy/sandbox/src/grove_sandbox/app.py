"""The sandbox's app."""

from fastapi import FastAPI

from grove_sandbox import bank, control, hooks, oauth, oidc, sms
from grove_sandbox.faults import FaultMiddleware, Faults
from grove_sandbox.issuer import Issuer
from grove_sandbox.settings import SandboxSettings
from grove_sandbox.world import World


def create_app(settings: SandboxSettings) -> FastAPI:
    """An app with a world of its own."""
    app = FastAPI(title="Grove sandbox", docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.world = World(settings)
    app.state.issuer = Issuer()
    app.state.faults = Faults()
    app.state.messages = sms.new_messages()
    app.state.receivers = {}
    app.include_router(oauth.router)
    app.include_router(oidc.router)
    app.include_router(bank.router)
    app.include_router(control.router)
    app.include_router(sms.router)
    app.include_router(hooks.router)
    app.add_middleware(FaultMiddleware, faults=app.state.faults)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
