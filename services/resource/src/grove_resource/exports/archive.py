"""Writing an archive, bit by bit."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from uuid import UUID

import structlog

from grove.core.clock import rfc3339
from grove_resource.exports.repository import ArchiveQueries

log = structlog.get_logger()

MAX_SECONDS = 900


async def archive(
    queries: ArchiveQueries,
    user_id: UUID,
    exported_at: datetime,
    profile: str,
    check: Callable[[], Awaitable[None]],
) -> AsyncIterator[str]:
    """The archive as JSON, in parts. `check` is called before each page, and raises when no more may be told.

    An error is raised in the middle, so that what was sent until then is no JSON. Raises TimeoutError for a client
    that takes longer than MAX_SECONDS.
    """
    started = time.monotonic()
    present = ""
    try:
        yield f'{{"user_id":"{user_id}","exported_at":"{rfc3339(exported_at)}","profile":{profile}'
        async for section, items in queries.pages():
            await check()
            if time.monotonic() - started > MAX_SECONDS:
                raise TimeoutError
            if section != present:
                yield f'{"]" if present else ""},"{section}":[{items or ""}'
                present = section
            elif items:
                yield f",{items}"
        yield "]}"
    except Exception as error:
        log.error("export.broken", section=present, reason=str(error) or type(error).__name__)
        raise
