"""Live routes."""

from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, WebSocket
from starlette.responses import Response

from grove.core.errors import Forbidden, GroveError
from grove.core.schema import Outgoing
from grove.security.principal import Principal
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_notification.deps import NotificationReader, ResourcesDep
from grove_notification.live.connection import LiveConnection
from grove_notification.live.tickets import TICKET_SECONDS, Tickets
from grove_notification.resources import Resources

log = structlog.get_logger()

router = APIRouter(prefix="/api/v1/notifications", tags=["live"], route_class=GroveRoute, responses=error_responses())

PROTOCOL = "grove.v1"
BEARER_PREFIX = "bearer."


class StreamTicket(Outgoing):
    """A way to connect without a header. `expires_in` in seconds."""

    ticket: str
    expires_in: int


@router.post("/stream-tickets", status_code=201)
async def create_stream_ticket(user: NotificationReader, resources: ResourcesDep) -> StreamTicket:
    """A ticket for `?ticket=` of the stream: good once, for 30 seconds."""
    return StreamTicket(ticket=await Tickets(resources.valkey).issue(user), expires_in=TICKET_SECONDS)


@router.websocket("/stream")
async def stream(
    socket: WebSocket,
    ticket: Annotated[str | None, Query(max_length=200)] = None,
    resume_from: Annotated[UUID | None, Query()] = None,
) -> None:
    """Notifications as they come. Sign in by header, by subprotocols `grove.v1, bearer.<token>`, or by ticket."""
    resources: Resources = socket.app.state.resources
    try:
        _check_origin(socket, resources)
        principal = await _sign_in(socket, resources, ticket)
    except GroveError as error:
        await socket.send_denial_response(Response(error.message, error.status, error.headers))
        return
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
    await LiveConnection(socket, principal, resources, resume_from).run()


async def _sign_in(socket: WebSocket, resources: Resources, ticket: str | None) -> Principal:
    authenticator = resources.sign_in.authenticator
    bearer = next((p for p in socket.scope.get("subprotocols", []) if p.startswith(BEARER_PREFIX)), None)
    if ticket is not None:
        principal = await Tickets(resources.valkey).redeem(ticket)
    elif bearer is not None:
        principal = await authenticator.principal(bearer.removeprefix(BEARER_PREFIX))
    else:
        principal = await authenticator.of_request(socket)
    if not principal.has("notifications:read"):
        raise Forbidden("The token lacks the scope notifications:read.")
    return principal


def _check_origin(socket: WebSocket, resources: Resources) -> None:
    """A browser names the page that connects: only ours and the configured ones may."""
    origin = socket.headers.get("origin")
    settings = resources.settings
    allowed = {*settings.cors_origins, settings.public_url, settings.public_api_url}
    if origin is not None and origin not in allowed:
        raise Forbidden(f"Pages of {origin} may not connect.")
