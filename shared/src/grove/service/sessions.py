"""The commit edge: one transaction per request, committed before the answer leaves.

`Depends(…, scope="function")` ends it after the handler and its serialisation and before the response, so a
failed commit is an error the client sees, and a domain error rolls back before its 4xx.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession


async def _write_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.resources.sessions.begin() as session:
        yield session


async def _read_connection(request: Request) -> AsyncIterator[AsyncConnection]:
    async with request.app.state.resources.reads.connect() as connection:
        yield connection


WriteSession = Annotated[AsyncSession, Depends(_write_session, scope="function")]
"""A session in a transaction, for routes that change something."""

ReadConnection = Annotated[AsyncConnection, Depends(_read_connection, scope="function")]
"""An autocommit connection, for routes that run one statement and change nothing."""
