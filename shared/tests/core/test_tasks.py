"""Tasks end, whatever the libraries in them make of it."""

import asyncio

import pytest

from grove.core import tasks
from grove.core.tasks import end, finish, side_by_side


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(tasks, "ASK_AGAIN_SECONDS", 0.01)


class Stubborn:
    """Work that loses the first `losses` cancellations, as asyncio.wait_for may."""

    def __init__(self, losses: int) -> None:
        self.losses = losses

    async def run(self) -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.losses -= 1
                if self.losses < 0:
                    raise


async def begun(*works) -> list[asyncio.Task]:
    made = [asyncio.create_task(work) for work in works]
    await asyncio.sleep(0)
    return made


async def fail() -> None:
    raise ValueError("broken")


async def test_a_task_that_loses_a_cancellation_ends_all_the_same():
    stubborn, plain, failed = await begun(Stubborn(3).run(), Stubborn(0).run(), fail())
    async with asyncio.timeout(5):
        await end(stubborn, plain, failed)
    assert stubborn.cancelled()
    assert plain.cancelled()


async def test_who_ends_tasks_may_be_cancelled_meanwhile_and_leaves_none():
    [stubborn] = await begun(Stubborn(2).run())
    [ending] = await begun(end(stubborn))
    ending.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait({ending})
    assert ending.cancelled()
    assert stubborn.cancelled()


async def test_work_in_hand_is_finished_however_often_its_task_is_asked_to_end():
    done = []

    async def work() -> None:
        await asyncio.sleep(0.1)
        done.append("well")

    async def consume() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await finish(work(), 5)

    [consuming] = await begun(consume())
    async with asyncio.timeout(5):
        await end(consuming)
    assert done == ["well"]


async def test_work_in_hand_has_an_end_too():
    async with asyncio.timeout(5):
        await finish(Stubborn(2).run(), 0.05)


async def test_when_one_fails_the_others_end_and_it_is_told():
    stubborn = Stubborn(2)
    async with asyncio.timeout(5):
        with pytest.raises(ValueError, match="broken"):
            await side_by_side(stubborn.run(), fail())
    assert stubborn.losses < 0


async def test_a_cancellation_ends_all():
    one, other = Stubborn(0), Stubborn(2)
    [running] = await begun(side_by_side(one.run(), other.run()))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(running)
    assert max(one.losses, other.losses) < 0
