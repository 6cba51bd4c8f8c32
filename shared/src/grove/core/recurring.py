"""Work that a process does again and again."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()


async def every(seconds: float, work: Callable[[], Awaitable[object]], *, away: tuple[type[Exception], ...]) -> None:
    """Do `work` until cancelled, and again `seconds` after each end of it.

    An error of `away` says that a server it needs is away: the log is told, and the next turn tries again. Any other is
    raised.
    """
    while True:
        try:
            await work()
        except away as error:
            log.warning("job.waits", error=str(error)[:500] or type(error).__name__)
        await asyncio.sleep(seconds)
