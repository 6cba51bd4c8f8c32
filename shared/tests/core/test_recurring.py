"""Work that is done again and again."""

import asyncio

import pytest

from grove.core.recurring import every
from grove.core.tasks import end


async def test_work_is_done_again_though_what_it_needs_was_away():
    turns: list[int] = []
    enough = asyncio.Event()

    async def work() -> None:
        turns.append(len(turns))
        if len(turns) == 1:
            raise ConnectionError("the store is away")
        if len(turns) == 3:
            enough.set()

    running = asyncio.create_task(every(0, work, away=(ConnectionError,)))
    async with asyncio.timeout(10):
        await enough.wait()
    await end(running)
    assert running.cancelled()
    assert turns[:3] == [0, 1, 2]


async def test_what_nobody_expects_is_raised():
    async def work() -> None:
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        await every(0, work, away=(ConnectionError,))
