"""Connection routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Cookie, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from grove.core.context import current_context
from grove.core.errors import Unauthorized
from grove.security.network import network_of
from grove.web.auth import ANONYMOUS_LIMIT, Authenticator
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_provider_sync.connections.repository import ConnectionQueries, ConnectionRepository
from grove_provider_sync.connections.schemas import (
    ConnectionCreate,
    ConnectionList,
    ConnectionRead,
    ConnectionStarted,
)
from grove_provider_sync.connections.service import ConnectionService, Started
from grove_provider_sync.deps import (
    ConnectionReader,
    ConnectionWriter,
    EventOutbox,
    Once,
    ReadsDep,
    ResourcesDep,
    WriteSession,
)
from grove_provider_sync.sync.repository import SyncRunRepository

router = APIRouter(
    prefix="/api/v1/connections",
    tags=["connections"],
    route_class=GroveRoute,
    responses=error_responses(404, 409, 410, 502, 504),
)

BROWSER_COOKIE = "__Host-grove-connect"


async def _service(resources: ResourcesDep, session: WriteSession, outbox: EventOutbox) -> ConnectionService:
    return ConnectionService(resources, ConnectionRepository(session), SyncRunRepository(session), outbox)


Connections = Annotated[ConnectionService, Depends(_service)]


@router.post("", status_code=201, dependencies=[Once])
async def connect(
    data: ConnectionCreate, user: ConnectionWriter, connections: Connections, response: Response
) -> ConnectionStarted:
    """Connect a provider: open `authorization_url` in the user's browser."""
    return _started(await connections.connect(user.user_id, data.provider), response)


@router.get("/callback", response_model=ConnectionRead)
async def callback(
    request: Request,
    connections: Connections,
    resources: ResourcesDep,
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str | None, Query(max_length=2000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
    browser_key: Annotated[str | None, Cookie(alias=BROWSER_COOKIE, max_length=200)] = None,
) -> Response:
    """Where the provider sends the user back. A browser goes on to the portal; a program gets the connection."""
    context = current_context()
    await resources.limiter.enforce(ANONYMOUS_LIMIT, network_of(context.client_ip if context else None))
    user_id = await _bearer(request, resources.sign_in.authenticator)
    connection = await connections.finish(state, code=code, error=error, browser_key=browser_key, user_id=user_id)
    if "text/html" in request.headers.get("accept", ""):
        answer: Response = RedirectResponse(f"{resources.settings.public_url}/connected", 303)
    else:
        answer = Response(_read(connection).model_dump_json(), media_type="application/json")
    answer.delete_cookie(BROWSER_COOKIE, path="/", secure=True, httponly=True)
    return answer


@router.get("")
async def list_connections(user: ConnectionReader, reads: ReadsDep) -> ConnectionList:
    """Your connections, newest first."""
    rows = await ConnectionQueries(reads, user.user_id).all()
    return ConnectionList(items=[ConnectionRead.model_validate(row) for row in rows])


@router.get("/{connection_id}")
async def get_connection(connection_id: UUID, user: ConnectionReader, reads: ReadsDep) -> ConnectionRead:
    """Read one connection."""
    return ConnectionRead.model_validate(await ConnectionQueries(reads, user.user_id).get(connection_id))


@router.post("/{connection_id}/sync", status_code=202, response_class=Response)
async def sync_connection(connection_id: UUID, user: ConnectionWriter, connections: Connections) -> Response:
    """Fetch what is new at the provider; watch `sync-runs` for how it goes."""
    await connections.sync(user.user_id, connection_id)
    return Response(status_code=202)


@router.post("/{connection_id}/reauthorize")
async def reauthorize_connection(
    connection_id: UUID, user: ConnectionWriter, connections: Connections, response: Response
) -> ConnectionStarted:
    """Give access again; accounts and history stay."""
    return _started(await connections.reauthorize(user.user_id, connection_id), response)


@router.delete("/{connection_id}", status_code=204)
async def remove_connection(connection_id: UUID, user: ConnectionWriter, connections: Connections) -> None:
    """Remove a connection with its accounts and transactions; the provider is told to forget our access."""
    await connections.remove(user.user_id, connection_id)


def _started(started: Started, response: Response) -> ConnectionStarted:
    response.set_cookie(
        BROWSER_COOKIE, started.browser_key, max_age=900, path="/", secure=True, httponly=True, samesite="lax"
    )
    return ConnectionStarted(**_read(started.connection).model_dump(), authorization_url=started.authorization_url)


def _read(connection: object) -> ConnectionRead:
    return ConnectionRead.model_validate(connection)


async def _bearer(request: Request, authenticator: Authenticator) -> UUID | None:
    if "authorization" not in request.headers:
        return None
    try:
        bearer = await authenticator.of_request(request)
    except Unauthorized:
        return None
    return bearer.user_id if bearer.has("connections:write") else None
