"""Thousands of connections while the revocation feed is lost: auth is asked about all, and well answers cut nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from grove.core.clock import now
from grove.core.errors import UpstreamError
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.messaging.revocation import QUESTIONS_AT_ONCE, TokenGate
from grove.security.principal import Principal
from grove_notification.live import sweeper as sweeper_module
from grove_notification.live.connection import REVOKED, UNKNOWN, Connection
from grove_notification.live.sweeper import Sweeper

COUNT = 5000
LOOKS = 8
"""More than a connection lives on for while nobody says anything."""


class Idle(Connection):
    """An open connection on which nothing happens."""

    transport = "none"

    def __init__(self, session_id: str) -> None:
        principal = Principal(
            user_id=new_id(),
            session_id=session_id,
            scopes=frozenset(),
            roles=frozenset(),
            auth_time=now(),
            expires_at=datetime(2099, 1, 1, tzinfo=UTC),
            version=1,
            global_version=1,
            token_id=str(new_id()),
        )
        super().__init__(principal, SimpleNamespace(ping=lambda: None, full=False), ping_seconds=3600)
        self.looks = 0

    def look(self, moment, wall) -> None:
        self.looks += 1
        super().look(moment, wall)

    async def _send(self, message) -> None: ...
    async def _receive(self) -> None: ...
    async def _close(self, ending) -> None: ...
    def _is_gone(self, error) -> bool:
        return False


class Auth:
    """Answers when it is let, in batches."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.may_answer = asyncio.Semaphore(0)
        self.revoked: set[str] = set()
        self.refuses: set[str] = set()

    async def one(self, _):
        raise AssertionError("one question for each token")

    async def each(self, questions) -> list[bool]:
        self.asked.append(len(questions))
        await self.may_answer.acquire()
        if self.refuses & {question.session_id for question in questions}:
            raise UpstreamError
        return [question.session_id not in self.revoked for question in questions]


@pytest.fixture
async def auth() -> Auth:
    return Auth()


@pytest.fixture
async def crowd() -> list[Idle]:
    return [Idle(f"s{number}") for number in range(COUNT)]


@pytest.fixture
def sweeping(auth, crowd, monkeypatch):
    @asynccontextmanager
    async def sweeping() -> AsyncIterator[None]:
        monkeypatch.setattr(sweeper_module, "LOOK_SECONDS", 0.02)
        monkeypatch.setattr(sweeper_module, "UNKNOWN_SECONDS", 0.02 * (LOOKS - 0.5))
        feed = SimpleNamespace(live=False, changes=0)
        sign_in = SimpleNamespace(feed=feed, gate=TokenGate(feed, auth.one, auth.each))
        running = asyncio.create_task(Sweeper(crowd, sign_in).run())
        try:
            async with asyncio.timeout(120):
                yield
        finally:
            await end(running)

    return sweeping


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0)


async def looks(crowd: list[Idle], count: int) -> None:
    seen = crowd[0].looks
    await until(lambda: crowd[0].looks >= seen + count)


def endings(crowd: list[Idle]) -> set:
    return {connection._ending for connection in crowd}


async def test_nobody_is_cut_while_auth_answers_however_long_it_takes_to_ask_about_all(auth, crowd, sweeping):
    """Each answer takes some looks; all of them together far more than a connection would live on without any."""
    auth.revoked = {"s7", f"s{COUNT - 1}"}
    async with sweeping():
        for round_ in range(COUNT // QUESTIONS_AT_ONCE):
            await until(lambda round_=round_: len(auth.asked) > round_)
            await looks(crowd, 3)
            auth.may_answer.release()
        await until(lambda: crowd[-1]._ending is not None)
    assert auth.asked[:10] == [QUESTIONS_AT_ONCE] * 10
    assert {each.principal.session_id for each in crowd if each._ending is REVOKED} == auth.revoked
    assert endings(crowd) == {None, REVOKED}


async def test_everybody_is_cut_when_auth_says_nothing_any_more(auth, crowd, sweeping):
    async with sweeping():
        await looks(crowd, LOOKS - 2)
        assert endings(crowd) == {None}
        await looks(crowd, 4)
        assert endings(crowd) == {UNKNOWN}


async def test_those_are_cut_about_whom_auth_refuses_to_answer(auth, crowd, sweeping):
    auth.refuses = {"s600"}
    for _ in range(10_000):
        auth.may_answer.release()
    async with sweeping():
        await until(lambda: crowd[600]._ending is not None)
    assert {each for each in crowd if each._ending is UNKNOWN} == set(crowd[500:1000])
    assert endings(crowd) == {None, UNKNOWN}
