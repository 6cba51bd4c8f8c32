"""The commit edge: one transaction per request, committed before the answer leaves.

`Depends(…, scope="function")` ends it after the handler and its serialisation and before the response, so a
failed commit is an error the client sees, and a domain error rolls back before its 4xx.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import structlog
from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.reads import Reads

log = structlog.get_logger()

_ACTIONS = "after_commit"


def after_commit(session: AsyncSession, action: Callable[[], Awaitable[None]]) -> None:
    """Have `action` run once the request's transaction is safe, before its answer leaves.

    Best effort: for what can be lost or is mended otherwise (a cache, a file that a sweep would find).
    """
    session.info.setdefault(_ACTIONS, []).append(action)


async def _write_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.resources.sessions.begin() as session:
        yield session
    for action in session.info.get(_ACTIONS, ()):
        try:
            await action()
        except Exception:
            log.exception("request.after_commit_failed")


async def _reads(request: Request) -> Reads:
    reads: Reads = request.app.state.resources.reads
    return reads


WriteSession = Annotated[AsyncSession, Depends(_write_session, scope="function")]
"""A session in a transaction, for routes that change something."""

ReadsDep = Annotated[Reads, Depends(_reads)]
"""For routes that change nothing."""
