"""Answers kept for a user: never an older one after a change, and none at all without Valkey."""

import asyncio
import itertools

import pytest
from structlog.testing import capture_logs

from grove.core.ids import new_id
from grove.valkey.cache import UserCache
from grove.valkey.client import create_valkey

pytestmark = pytest.mark.integration


class Database:
    """What answers are read from."""

    def __init__(self) -> None:
        self.answer = "old"
        self.reads = 0

    async def read(self) -> str:
        self.reads += 1
        return self.answer


@pytest.fixture
async def valkey(settings):
    client = create_valkey(settings)
    yield client
    await client.aclose()


@pytest.fixture
async def gone(settings):
    client = create_valkey(settings.model_copy(update={"valkey_port": 1}))
    yield client
    await client.aclose()


@pytest.fixture
def cache(valkey):
    return UserCache(valkey, "resource", str(new_id()), 60)


@pytest.fixture
def database():
    return Database()


async def test_an_answer_is_read_once_and_kept_for_its_user(cache, database):
    ada, bob = new_id(), new_id()
    database.answer = "first line\nsecond: ünïcode"
    assert [await cache.get(ada, database.read) for _ in range(3)] == [database.answer] * 3
    assert database.reads == 1
    database.answer = "bob's"
    assert await cache.get(bob, database.read) == "bob's"
    assert await cache.get(ada, database.read) == "first line\nsecond: ünïcode"


async def test_what_is_forgotten_is_read_anew(cache, database):
    user = new_id()
    for number in range(12):  # generations of one digit and of two: 1 is no beginning of 11
        database.answer = str(number)
        assert await cache.get(user, database.read) == str(number)
        await cache.forget(user)
    assert database.reads == 12


async def test_it_is_forgotten_by_itself(valkey, database):
    cache, user = UserCache(valkey, "resource", str(new_id()), 1), new_id()
    assert await cache.get(user, database.read) == "old"
    database.answer = "new"
    async with asyncio.timeout(5):
        while await cache.get(user, database.read) == "old":
            await asyncio.sleep(0.1)


async def test_a_read_that_began_before_a_change_is_never_given_after_it(cache, database):
    """The race: a slow reader has the old answer in hand while a change is committed and forgotten."""
    user = new_id()
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> str:
        answer = await database.read()
        reading.set()
        await go_on.wait()
        return answer

    slow = asyncio.create_task(cache.get(user, slowly))
    await reading.wait()
    database.answer = "new"
    await cache.forget(user)
    go_on.set()
    assert await slow == "old"  # it asked before the change
    assert await cache.get(user, database.read) == "new"


async def test_the_slow_reader_does_not_even_undo_what_another_kept_since(cache, database):
    user = new_id()
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> str:
        reading.set()
        await go_on.wait()
        return "old"

    slow = asyncio.create_task(cache.get(user, slowly))
    await reading.wait()
    database.answer = "new"
    await cache.forget(user)
    assert await cache.get(user, database.read) == "new"
    go_on.set()
    await slow
    assert await cache.get(user, database.read) == "new"


async def test_readers_and_changes_at_once(cache, database):
    user, numbers = new_id(), itertools.count()

    async def change() -> None:
        for _ in range(40):
            database.answer = str(next(numbers))
            await cache.forget(user)
            expected = database.answer
            assert int(await cache.get(user, database.read)) >= int(expected)

    async def read() -> None:
        while not changing.done():
            await cache.get(user, database.read)

    database.answer = "-1"
    changing = asyncio.create_task(change())
    await asyncio.gather(changing, *(read() for _ in range(4)))
    assert await cache.get(user, database.read) == "39"


async def test_a_failed_read_is_told_and_nothing_is_kept(cache, database):
    user = new_id()

    async def fail() -> str:
        raise LookupError("gone")

    with pytest.raises(LookupError):
        await cache.get(user, fail)
    assert await cache.get(user, database.read) == "old"


async def test_without_valkey_each_answer_is_made_anew(gone, database):
    cache, user = UserCache(gone, "resource", "gone", 60), new_id()
    with capture_logs() as logs:
        assert await cache.get(user, database.read) == "old"
        database.answer = "new"
        await cache.forget(user)
        assert await cache.get(user, database.read) == "new"
    assert [entry["event"] for entry in logs] == ["cache.away"] * 3


async def test_valkey_lost_between_looking_and_keeping(valkey, gone, database):
    cache, user = UserCache(valkey, "resource", str(new_id()), 60), new_id()

    async def lose() -> str:
        cache._valkey = gone
        return await database.read()

    assert await cache.get(user, lose) == "old"
    cache._valkey = valkey
    database.answer = "new"
    assert await cache.get(user, database.read) == "new"
