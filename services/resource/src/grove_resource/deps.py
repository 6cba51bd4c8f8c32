"""Dependencies as types: an endpoint's signature says what it needs and who may call it."""

from typing import Annotated

from fastapi import Depends, Request

from grove.outbox.postgres import Outbox
from grove.security.principal import Principal
from grove.service.idempotency_keys import PostgresIdempotency
from grove.service.sessions import ReadsDep, WriteSession
from grove.web import idempotency
from grove.web.auth import require
from grove.web.rate_limit import Limit, RateLimiter
from grove_resource.resources import Resources
from grove_resource.settings import ResourceSettings

PROFILE_LIMIT = Limit("profile", 10, 3600)
PHOTO_LIMIT = Limit("photo", 5, 3600)

TaskReader = Annotated[Principal, require("tasks:read")]
TaskWriter = Annotated[Principal, require("tasks:write")]
ProfileReader = Annotated[Principal, require("profile:read")]
ProfileWriter = Annotated[Principal, require("profile:write", limit=PROFILE_LIMIT)]
PhotoWriter = Annotated[Principal, require("profile:write", limit=PHOTO_LIMIT)]
MomentReader = Annotated[Principal, require("moments:read")]
MomentWriter = Annotated[Principal, require("moments:write")]


async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(_resources)]


async def _outbox(session: WriteSession) -> Outbox:
    return Outbox(session, ResourceSettings.service)


async def _limiter(request: Request) -> RateLimiter:
    found: RateLimiter = request.app.state.resources.limiter
    return found


EventOutbox = Annotated[Outbox, Depends(_outbox)]
LimiterDep = Annotated[RateLimiter, Depends(_limiter)]


async def _task_once(
    request: Request, user: TaskWriter, session: WriteSession, key: idempotency.KeyHeader = None
) -> None:
    await idempotency.begin(request, PostgresIdempotency(session), user.user_id, key)


async def _moment_once(
    request: Request, user: MomentWriter, session: WriteSession, key: idempotency.KeyHeader = None
) -> None:
    await idempotency.begin(request, PostgresIdempotency(session), user.user_id, key)


TaskOnce = Depends(_task_once)
"""For routes that create something about tasks: takes `Idempotency-Key`."""
MomentOnce = Depends(_moment_once)
"""The same about activities and moments."""

__all__ = [
    "EventOutbox",
    "LimiterDep",
    "MomentOnce",
    "MomentReader",
    "MomentWriter",
    "PhotoWriter",
    "ProfileReader",
    "ProfileWriter",
    "ReadsDep",
    "ResourcesDep",
    "TaskOnce",
    "TaskReader",
    "TaskWriter",
    "WriteSession",
]
