"""Calling an app in the process, as the edge would."""

import httpx2
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grove.security.mtls import identity_of


class FromPeer:
    """Sets the peer's identity, as the TLS listener does.

    Raises what the app raises after an answer began: the edge would see the connection break, and a client in the
    process a whole answer.
    """

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._identity = identity_of(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on."""
        scope["state"] = {"peer": self._identity}
        whole = False

        async def sent(message: Message) -> None:
            nonlocal whole
            await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self._app(scope, receive, sent)
        except Exception:
            if not whole:  # after a 500 that was sent, the framework raises the reason for the server's log
                raise


def client_of(app: ASGIApp, *, peer: str = "traefik", base_url: str = "https://api.test") -> httpx2.AsyncClient:
    """A client whose requests come from a process of the service `peer`."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(FromPeer(app, peer)),
        base_url=base_url,
        headers={"X-Forwarded-For": "203.0.113.7", "User-Agent": "test"},
    )
