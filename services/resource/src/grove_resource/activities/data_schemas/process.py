"""The other side of child.py: one checking process, started when it is first needed, and anew when it was ended."""

import asyncio
import json
import signal
import sys
from contextlib import suppress
from typing import Any

import structlog

from grove.core.errors import ServiceUnavailable
from grove_resource.activities.data_schemas.child import LENGTH
from grove_resource.activities.data_schemas.turns import Asker, Turns

log = structlog.get_logger()

_MODULE = "grove_resource.activities.data_schemas.child"
_ENDED_FOR_COST = {-signal.SIGPROF, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGKILL}
ANSWER_SECONDS = 10.0
"""How long an answer may take by the clock, on a busy machine; processor time is limited by the process itself."""


class TooCostly(Exception):
    """The process was ended, since the request took too much time or memory. `answers` came before."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        super().__init__()
        self.answers = answers


class CheckingProcess:
    """Answers requests one after the other. Closed by `aclose`."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turns = Turns()

    async def ask(self, request: str, answers: int, asker: Asker | None = None) -> list[dict[str, Any]]:
        """So many answers to a request, which is JSON. Raises TooCostly, and RateLimited or ServiceUnavailable when too
        many wait.
        """
        body = request.encode()
        async with self._turns.next(asker):
            got: list[dict[str, Any]] = []
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    process = await self._running()
                    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
                    process.stdin.write(LENGTH.pack(len(body)) + body)
                    await process.stdin.drain()
                    while len(got) < answers:
                        got.append(await _answer(process))
            except (asyncio.IncompleteReadError, ConnectionError):
                code = await self._end()
                log.warning("data_schemas.process_ended", code=code)
                if code in _ENDED_FOR_COST:
                    raise TooCostly(got) from None
                raise ServiceUnavailable from None
            except TimeoutError:
                await self._end()
                raise ServiceUnavailable from None
            except BaseException:  # cancelled between question and answer: the next would get this answer
                await self._end()
                raise
            return got

    async def aclose(self) -> None:
        """End the process."""
        await self._end()

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", _MODULE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        return self._process

    async def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        process.stdin.close()
        with suppress(TimeoutError):  # what ended itself has a code of its own
            async with asyncio.timeout(0.5):
                return await process.wait()
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return None


async def _answer(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    answer: dict[str, Any] = json.loads(await process.stdout.readexactly(length))
    return answer
