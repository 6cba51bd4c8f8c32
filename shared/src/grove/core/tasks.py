"""Running asyncio tasks side by side, and ending them for sure.

`Task.cancel` can be lost in a library: before Python 3.12, `asyncio.wait_for` drops it when its own work ends at that
moment, and the task goes on for ever. So a task that goes on is asked again.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

ASK_AGAIN_SECONDS = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel `tasks` and return when they have ended, however they did."""
    pending = {task for task in tasks if not task.done()}
    cancelled = False
    while pending:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=ASK_AGAIN_SECONDS)
        except asyncio.CancelledError:
            cancelled = True
            pending = {task for task in pending if not task.done()}
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen, or asyncio would complain of it
    if cancelled:
        raise asyncio.CancelledError


async def finish(work: Coroutine[Any, Any, None], seconds: float) -> None:
    """Work that a cancelled task still does, for `seconds` at most: who asks it again to end must wait as well."""
    task = asyncio.create_task(work)
    until = asyncio.get_running_loop().time() + seconds
    while not task.done() and (left := until - asyncio.get_running_loop().time()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=left)
    await end(task)


async def side_by_side(*works: Coroutine[Any, Any, None]) -> None:
    """Run `works` until one of them ends or fails, which ends the others. Raises what it raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(*tasks)
    for task in done:
        task.result()
