"""Calling an app in the process, as the edge would."""

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from grove.security.mtls import identity_of


class FromPeer:
    """Sets the peer's identity, as the TLS listener does."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._identity = identity_of(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on."""
        scope["state"] = {"peer": self._identity}
        await self._app(scope, receive, send)


def client_of(app: ASGIApp, *, peer: str = "traefik", base_url: str = "https://api.test") -> httpx2.AsyncClient:
    """A client whose requests come from a process of the service `peer`."""
    transport = httpx2.ASGITransport(FromPeer(app, peer), raise_app_exceptions=False)
    return httpx2.AsyncClient(
        transport=transport, base_url=base_url, headers={"X-Forwarded-For": "203.0.113.7", "User-Agent": "test"}
    )
