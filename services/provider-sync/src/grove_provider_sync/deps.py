"""Dependencies as types: an endpoint's signature says what it needs and who may call it."""

from typing import Annotated

from fastapi import Depends, Request

from grove.security.principal import Principal
from grove.service.idempotency_keys import PostgresIdempotency
from grove.service.sessions import ReadsDep, WriteSession
from grove.web import idempotency
from grove.web.auth import require
from grove_provider_sync.resources import Resources

ConnectionReader = Annotated[Principal, require("connections:read")]
ConnectionWriter = Annotated[Principal, require("connections:write")]


async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(_resources)]


async def _once(
    request: Request, user: ConnectionWriter, session: WriteSession, key: idempotency.KeyHeader = None
) -> None:
    await idempotency.begin(request, PostgresIdempotency(session), user.user_id, key)


Once = Depends(_once)
"""For routes that create something: takes `Idempotency-Key`."""

__all__ = [
    "ConnectionReader",
    "ConnectionWriter",
    "Once",
    "ReadsDep",
    "ResourcesDep",
    "WriteSession",
]
