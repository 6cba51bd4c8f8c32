"""The commit edge: one transaction per request, committed before the answer leaves.

`Depends(…, scope="function")` ends it after the handler and its serialisation and before the response, so a
failed commit is an error the client sees, and a domain error rolls back before its 4xx.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.reads import Reads


async def _write_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.resources.sessions.begin() as session:
        yield session


async def _reads(request: Request) -> Reads:
    reads: Reads = request.app.state.resources.reads
    return reads


WriteSession = Annotated[AsyncSession, Depends(_write_session, scope="function")]
"""A session in a transaction, for routes that change something."""

ReadsDep = Annotated[Reads, Depends(_reads)]
"""For routes that change nothing."""
