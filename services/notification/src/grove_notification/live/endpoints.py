"""Live routes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket
from fastapi.security import APIKeyQuery
from starlette.responses import Response

from grove.security.principal import Principal
from grove.web.auth import BEARER
from grove.web.body import GroveRoute
from grove.web.errors import error_responses, from_status
from grove_notification.deps import NotificationReader, ResourcesDep
from grove_notification.live.connection import Connection
from grove_notification.live.event_streams import EventStream
from grove_notification.live.joining import Joining, Place
from grove_notification.live.schemas import LiveFrame, StreamTicket
from grove_notification.live.signing_in import PROTOCOL, sign_in
from grove_notification.live.sockets import SocketConnection
from grove_notification.live.subscriber import Subscriber
from grove_notification.live.tickets import TICKET_SECONDS, Tickets
from grove_notification.resources import Resources

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
data: {"id": "0198c1e5-7d3a-7c3e-9b1a-2f6f0d1c4b5a", "change": "updated", "version": 7, "etag": "\\"…-7\\""}

"""


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
    - `task.changed`: `{id, change, version, etag}`, whatever your preferences say; `change` is created, updated,
      completed, reopened, deleted, restored, shared (with you, or in another role) or unshared. Of two frames about a
      task the one with the higher `version` is newer. `etag` is what GET answers its owner; it is null for who it is
      shared with, and when there is nothing to get any more
    - `reset`: what you missed is not kept any more; load your lists anew
    - `ping`: every 25 seconds
    - `close`: `{code, reason}`, without an id, is the last: 4401 your sign-in ended, 4408 you read too slowly, 1012 or
      1013 connect again in a moment, 1011 something went wrong, 4400 you sent a body

    After `close`, or when the connection is lost, come back with `?resume_from=` and the last id you have. A browser's
    `EventSource` can't do that by itself, as its ticket was used; make a new one with a new ticket, after 4401 not
    before there is a new access token:

    ```js
    const live = "https://api.localhost:8443/api/v1/notifications" // at your PUBLIC_API_URL, not at the page's host

    async function listen(last) {
      let source
      const again = () => { source?.close(); setTimeout(() => listen(last), 1000 + 2000 * Math.random()) }
      const signInFirst = async () => { source?.close(); if (await signIn()) listen(last) }
      try {
        const headers = { Authorization: `Bearer ${accessToken()}` }
        const answer = await fetch(`${live}/stream-tickets`, { method: "POST", headers })
        if (answer.status === 401 || answer.status === 403) return signInFirst()
        if (!answer.ok) return again()
        const query = new URLSearchParams({ ticket: (await answer.json()).ticket, ...(last && { resume_from: last }) })
        source = new EventSource(`${live}/events?${query}`)
      } catch { return again() }
      for (const type of ["notification", "unread_count", "task.changed", "reset", "ping"])
        source.addEventListener(type, event => { last = event.lastEventId; show(type, JSON.parse(event.data)) })
      source.addEventListener("close", event => JSON.parse(event.data).code === 4401 ? signInFirst() : again())
      source.onerror = again
    }
    ```

    `accessToken`, `signIn` (true once there is a new token) and `show` are yours. A browser hides why it was refused
    at connecting: a WebSocket closes with 1006, an `EventSource` has an `error`. `POST /stream-tickets` tells it.

    The WebSocket at `/api/v1/notifications/stream` sends the same as `{id, type, data}`.
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

    principal = await sign_in(socket, resources)
    place = Place.of(socket.query_params.get("resume_from"), socket.headers.get("last-event-id"))
    async with Joining(resources, principal, place).joined(connect) as connection:
        await socket.accept(subprotocol=PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", []) else None)
        await connection.run()


@router.get(
    "/stream",
    summary="Stream",
    status_code=426,
    responses={
        "1XX": {"description": "101: it is open; this is what each message is", "model": LiveFrame},
        **error_responses(426),
    },
    dependencies=[Depends(BEARER), Depends(TICKET)],
)
async def no_stream() -> None:
    """The WebSocket: what happens, frame by frame; the same as the events, with the same codes when it closes.

    Sign in by header, by the subprotocols `grove.v1, bearer.<token>`, or by `ticket`; `resume_from` goes on where you
    were. Who may not connect gets the usual error instead of 101; a plain GET gets 426.

    You may send `{"ack": id}`, of a frame of this connection: you have everything up to it. Resume from any id of this
    connection, and that does not come again. `{"token": "…"}` renews the sign-in. Another message closes with 4400, and
    more than 500 messages at once or 20 a second on end with 4408, as do pings, pongs and pieces of messages without
    end; a new token counts as 11.
    """
    raise from_status(
        426, {"Upgrade": "websocket", "Connection": "Upgrade"}, "This is a WebSocket. Plain HTTP: /events."
    )
