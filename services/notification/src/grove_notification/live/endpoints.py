"""Live routes."""

from typing import Annotated, cast

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket
from fastapi.security import APIKeyQuery
from starlette.responses import Response

from grove.core.context import current_context
from grove.core.errors import GroveError
from grove.core.schema import Outgoing
from grove.security.principal import Principal
from grove.web.auth import BEARER
from grove.web.body import GroveRoute
from grove.web.errors import error_responses, render
from grove_notification.deps import NotificationReader, ResourcesDep
from grove_notification.live.connection import Connection
from grove_notification.live.event_streams import EventStream
from grove_notification.live.joining import Joining, Place
from grove_notification.live.signing_in import PROTOCOL, sign_in
from grove_notification.live.sockets import SocketConnection
from grove_notification.live.subscriber import Subscriber
from grove_notification.live.tickets import TICKET_SECONDS, Tickets
from grove_notification.resources import Resources

log = structlog.get_logger()

router = APIRouter(prefix="/api/v1/notifications", tags=["live"], route_class=GroveRoute, responses=error_responses())

TICKET = APIKeyQuery(
    name="ticket",
    scheme_name="ticket",
    description="From `POST /api/v1/notifications/stream-tickets`; good once, for 30 seconds",
    auto_error=False,
)
_EXAMPLE = """id: dGhpc2lzYW5p.41
event: unread_count
data: {"count": 3}

id: dGhpc2lzYW5p.42
event: task.changed
data: {"id": "0198c1e5-7d3a-7c3e-9b1a-2f6f0d1c4b5a", "change": "updated", "etag": "\\"…-7\\""}

"""


class StreamTicket(Outgoing):
    """A way to connect without a header. `expires_in` in seconds."""

    ticket: str
    expires_in: int


@router.post("/stream-tickets", status_code=201)
async def create_stream_ticket(user: NotificationReader, resources: ResourcesDep) -> StreamTicket:
    """A ticket for `?ticket=` of the WebSocket and of the events: good once, for 30 seconds."""
    return StreamTicket(ticket=await Tickets(resources.valkey).issue(user), expires_in=TICKET_SECONDS)


@router.get(
    "/events",
    status_code=200,
    response_class=EventStream,
    responses={200: {"description": "Events as they come", "content": {"text/event-stream": {"example": _EXAMPLE}}}},
    dependencies=[Depends(BEARER), Depends(TICKET)],
)
async def events(
    request: Request,
    resources: ResourcesDep,
    resume_from: Annotated[
        str | None,
        Query(max_length=100, description="Id of the last frame you have, or of the newest notification you loaded"),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(max_length=100, description="The same, as browsers send it when they come back; it goes before"),
    ] = None,
) -> Response:
    """What happens, as server-sent events; sign in by header or by `ticket`.

    Each event has an `id` to resume from, a type as its `event`, and JSON as its `data`:

    - `notification`: a notification as the list has it
    - `unread_count`: `{count}`, at first and whenever it may be another number, about once a second at most
    - `task.changed`: `{id, change, etag}`, whatever your preferences say; `change` is created, updated, completed,
      reopened, deleted, restored or unshared; `etag` is null when you can't read the task any more
    - `reset`: what you missed is not kept any more; load your lists anew
    - `ping`: every 25 seconds
    - `close`: `{code, reason}`, without an id, is the last: 4401 your sign-in ended, 4408 you read too slowly, 1012 or
      1013 connect again in a moment, 1011 something went wrong

    After `close`, or when the connection is lost, come back with `?resume_from=` and the last id you have. A browser's
    `EventSource` can't do that by itself, as its ticket was used; make a new one with a new ticket:

    ```js
    async function listen(last) {
      let source
      const again = () => { source?.close(); setTimeout(() => listen(last), 1000 + 2000 * Math.random()) }
      try {
        const query = new URLSearchParams({ ticket: await newTicket(), ...(last && { resume_from: last }) })
        source = new EventSource(`/api/v1/notifications/events?${query}`)
      } catch { return again() }
      for (const type of ["notification", "unread_count", "task.changed", "reset", "ping"])
        source.addEventListener(type, event => { last = event.lastEventId; show(type, JSON.parse(event.data)) })
      source.addEventListener("close", again)
      source.onerror = again
    }
    ```

    The WebSocket at `/api/v1/notifications/stream` sends the same as `{id, type, data}`, and closes with these codes.
    There `{"ack": id}`, of a frame of this connection, says that you have everything up to it: resume from any id of
    this connection, and that does not come again. `{"token": "…"}` renews the sign-in. It also closes with 4400 for
    another message, and with 4408 when you send more than 500 messages at once or 20 a second on end; a new token
    counts as 11.
    """
    principal = await sign_in(request, resources)
    return EventStream(Joining(resources, principal, Place.of(resume_from, last_event_id)))


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """What happens, frame by frame. Sign in by header, by subprotocols `grove.v1, bearer.<token>`, or by ticket."""
    resources: Resources = socket.app.state.resources

    def connect(principal: Principal, subscriber: Subscriber, ping_seconds: float) -> Connection:
        return SocketConnection(
            socket,
            principal,
            subscriber,
            ping_seconds=ping_seconds,
            acks=resources.acks,
            authenticator=resources.sign_in.authenticator,
        )

    try:
        principal = await sign_in(socket, resources)
        place = Place.of(socket.query_params.get("resume_from"), socket.headers.get("last-event-id"))
        async with Joining(resources, principal, place).joined(connect) as connection:
            await socket.accept(subprotocol=PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", []) else None)
            await connection.run()
    except GroveError as error:
        await socket.send_denial_response(_denial(socket, error))


def _denial(socket: WebSocket, error: GroveError) -> Response:
    """In the error format; the headers that every answer carries are added to HTTP only."""
    response = render(cast("Request", socket), error)
    context = current_context()
    if context is not None:
        response.headers["X-Request-ID"] = context.request_id
    return response
