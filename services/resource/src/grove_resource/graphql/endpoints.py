"""POST /graphql."""

import asyncio
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from graphql import GraphQLError
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.errors import ServiceUnavailable
from grove.postgres.session_reads import SessionReads
from grove.security.principal import Principal
from grove.service.idempotency_keys import PostgresIdempotency
from grove.web import idempotency
from grove.web.auth import require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_resource.deps import EventOutbox, ReadsDep, ResourcesDep, WriteSession
from grove_resource.graphql.context import Context
from grove_resource.graphql.documents import Documents
from grove_resource.graphql.errors import Refused, passing, reasons, told
from grove_resource.graphql.openapi import DESCRIBED
from grove_resource.graphql.protocol import GRAPHQL, Malformed, media_type, must_be_json, parse_request
from grove_resource.graphql.reads import FewAtOnce
from grove_resource.graphql.room import Room
from grove_resource.graphql.schema import SCHEMA, execute

router = APIRouter(tags=["graphql"], route_class=GroveRoute)

Caller = Annotated[Principal, require()]


@lru_cache(maxsize=2)
def _documents(*, introspection: bool) -> Documents:
    return Documents(SCHEMA.core, introspection=introspection)


@router.post(
    "/graphql",
    responses={**error_responses(406, 415), 400: {"model": None}},
    openapi_extra=DESCRIBED,
)
async def graphql(
    request: Request,
    user: Caller,
    session: WriteSession,
    outbox: EventOutbox,
    reads: ReadsDep,
    resources: ResourcesDep,
    key: idempotency.KeyHeader = None,
) -> Response:
    """Query and change what the other routes have, in GraphQL. What a field needs of the token is what its route needs.

    The changes of one request are one transaction, of which those that fail are left out. With an `Idempotency-Key`,
    a failure that may pass (409, 429, 5xx) takes back all of them, so that the request can be sent again. Queries
    ignore the key.
    """
    media = media_type(request.headers.get("accept"))
    must_be_json(request.headers.get("content-type"))
    introspection = resources.settings.graphql_introspection
    try:
        asked = parse_request(await request.body())
        prepared = await _documents(introspection=introspection).prepare(asked)
    except Refused as refused:
        return _refusal(
            refused.errors, media, introspection=introspection, well_formed=not isinstance(refused, Malformed)
        )
    if prepared.changes:
        # Fields ask for scopes when they are executed, which a repeated answer was before.
        content = await request.body() + " ".join(sorted(user.scopes)).encode()
        await idempotency.begin(request, PostgresIdempotency(session), user.user_id, key, content=content)
    room = Room()
    context = Context(
        document=prepared.document,
        principal=user,
        authenticator=request.app.state.authenticator,
        resources=resources,
        session=session,
        outbox=outbox,
        reads=SessionReads(session) if prepared.changes else FewAtOnce(reads, room),
        room=room,
    )
    try:
        async with asyncio.timeout(resources.settings.graphql_seconds):
            result = await execute(context, asked)
    except TimeoutError:
        raise ServiceUnavailable("This took too long. Ask for fewer fields or rows.") from None
    errors: list[GraphQLError] = result.errors or []
    against = reasons(result.data, errors)
    if against:
        await _take_back(request, session)
        return _refusal(against, media, introspection=introspection)
    answer: dict[str, Any] = {"data": result.data}
    if errors:
        answer["errors"] = [told(error, suggestions=introspection) for error in errors]
        if prepared.changes and key is not None and (whole := passing(answer["errors"])):
            await _take_back(request, session)
            answer = {"data": None, "errors": [whole, *answer["errors"]]}
    return _answer(answer, 200, media)


async def _take_back(request: Request, session: AsyncSession) -> None:
    """Undo the changes, and keep no answer under the request's key."""
    await session.rollback()
    idempotency.forget(request)


def _refusal(errors: Sequence[GraphQLError], media: str, *, introspection: bool, well_formed: bool = True) -> Response:
    """Nothing was done. Clients of the older media type take a status other than 200 for a stranger's."""
    status = 200 if well_formed and media != GRAPHQL else 400
    return _answer({"errors": [told(error, suggestions=introspection) for error in errors]}, status, media)


def _answer(body: dict[str, Any], status: int, media: str) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, {"Content-Type": f"{media}; charset=utf-8", "Vary": "Accept"})
