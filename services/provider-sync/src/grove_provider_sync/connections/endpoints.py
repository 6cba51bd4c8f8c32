"""Connection routes."""

import hashlib
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from grove.core.context import current_context
from grove.core.errors import GroveError, Unauthorized
from grove.security.network import network_of
from grove.web.answers import json_text, not_modified
from grove.web.auth import ANONYMOUS_LIMIT, Authenticator
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions, content_etag
from grove.web.rate_limit import Limit
from grove_provider_sync.connections.linking import Linking, Prepared
from grove_provider_sync.connections.repository import ConnectionQueries
from grove_provider_sync.connections.schemas import (
    ConnectionCreate,
    ConnectionList,
    ConnectionRead,
    ConnectionStarted,
)
from grove_provider_sync.connections.service import ConnectionService
from grove_provider_sync.deps import (
    ConnectionReader,
    ConnectionWriter,
    Once,
    ReadsDep,
    ResourcesDep,
    WriteSession,
)
from grove_provider_sync.models import Connection

router = APIRouter(
    prefix="/api/v1/connections",
    tags=["connections"],
    route_class=GroveRoute,
    responses=error_responses(404, 409, 410, 502, 503, 504),
)

log = structlog.get_logger()

BROWSER_COOKIE = "__Host-grove-connect"
SYNC_LIMIT = Limit("sync", 6, 60)
"""Of a user: runs that are asked for spend a provider's budget, which is everybody's."""


async def _service(resources: ResourcesDep, session: WriteSession) -> ConnectionService:
    return ConnectionService(resources, session)


async def _linking(resources: ResourcesDep) -> Linking:
    return Linking(resources)


Connections = Annotated[ConnectionService, Depends(_service)]
LinkingDep = Annotated[Linking, Depends(_linking)]


async def _prepared(data: ConnectionCreate, user: ConnectionWriter, linking: LinkingDep) -> Prepared:
    """The provider is asked before the request's transaction begins: it may take its time."""
    return await linking.prepare(user.user_id, data.provider)


PreparedDep = Annotated[Prepared, Depends(_prepared)]


@router.post("", status_code=201, dependencies=[Depends(_prepared), Once])
async def connect(
    data: ConnectionCreate,
    user: ConnectionWriter,
    prepared: PreparedDep,
    linking: LinkingDep,
    session: WriteSession,
    response: Response,
) -> ConnectionStarted:
    """Connect a provider: open `authorization_url` in the user's browser."""
    connection = await linking.begin(session, user.user_id, data.provider, prepared)
    return _started(connection, prepared, linking.seconds, response)


@router.get(
    "/callback",
    response_model=ConnectionRead,
    responses={303: {"description": "Browsers go on to a page that says whether it worked"}},
)
async def callback(
    request: Request,
    linking: LinkingDep,
    resources: ResourcesDep,
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str | None, Query(max_length=2000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Where the provider sends the user back. A browser goes on to the portal; a program gets the connection."""
    context = current_context()
    await resources.limiter.enforce(ANONYMOUS_LIMIT, network_of(context.client_ip if context else None))
    user_id = await _bearer(request, resources.sign_in.authenticator)
    cookie = cookie_of(state)
    browser_key = request.cookies.get(cookie)
    portal = resources.settings.public_url if "text/html" in request.headers.get("accept", "") else None
    try:
        connection = await linking.finish(state, code=code, error=error, browser_key=browser_key, user_id=user_id)
    except GroveError as failure:
        if portal is None:
            raise
        log.info("connection.callback_failed", code=failure.code, reason=failure.message)
        return RedirectResponse(f"{portal}/not-connected", 303)
    if portal is not None:
        answer: Response = RedirectResponse(f"{portal}/connected", 303)
    else:
        answer = Response(_read(connection).model_dump_json(), media_type="application/json")
    answer.delete_cookie(cookie, path="/", secure=True, httponly=True)
    return answer


@router.get("")
async def list_connections(user: ConnectionReader, reads: ReadsDep) -> ConnectionList:
    """Your connections, newest first, those that you removed behind the others."""
    rows = await ConnectionQueries(reads, user.user_id).all()
    return ConnectionList(items=[ConnectionRead.model_validate(row) for row in rows])


@router.get(
    "/{connection_id}", response_model=ConnectionRead, responses={304: {"description": "You have this version"}}
)
async def get_connection(
    connection_id: UUID, user: ConnectionReader, reads: ReadsDep, conditions: RequestConditions
) -> Response:
    """Read one connection."""
    content = _read(await ConnectionQueries(reads, user.user_id).get(connection_id)).model_dump_json()
    tag = content_etag(content)
    return not_modified(tag) if conditions.unchanged(tag) else json_text(content, headers={"ETag": tag})


@router.post("/{connection_id}/sync", status_code=202, response_class=Response)
async def sync_connection(
    connection_id: UUID, user: ConnectionWriter, connections: Connections, resources: ResourcesDep
) -> Response:
    """Fetch what is new at the provider; watch `sync-runs` for how it goes."""
    await resources.limiter.enforce(SYNC_LIMIT, str(user.user_id))
    await connections.sync(user.user_id, connection_id)
    return Response(status_code=202)


@router.post("/{connection_id}/reauthorize")
async def reauthorize_connection(
    connection_id: UUID, user: ConnectionWriter, linking: LinkingDep, response: Response
) -> ConnectionStarted:
    """Give access again; accounts and history stay."""
    connection, prepared = await linking.begin_again(user.user_id, connection_id)
    return _started(connection, prepared, linking.seconds, response)


@router.delete("/{connection_id}", status_code=204)
async def remove_connection(connection_id: UUID, user: ConnectionWriter, connections: Connections) -> None:
    """Remove a connection: nothing is fetched any more, and the provider is told to forget our access. Accounts and
    transactions go with it, unless this installation keeps them.
    """
    await connections.remove(user.user_id, connection_id)


def cookie_of(state: str) -> str:
    """The cookie of one try: what is begun in another tab leaves it alone."""
    return f"{BROWSER_COOKIE}-{hashlib.sha256(state.encode()).hexdigest()[:8]}"


def _started(connection: Connection, prepared: Prepared, seconds: int, response: Response) -> ConnectionStarted:
    name = cookie_of(prepared.state)
    response.set_cookie(
        name, prepared.browser_key, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )
    return ConnectionStarted(**_read(connection).model_dump(), authorization_url=prepared.url)


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
