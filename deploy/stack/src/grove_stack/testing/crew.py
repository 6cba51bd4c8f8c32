"""Copies of a service's worker that a test starts beside a stack, and kills."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2

from grove.core.tasks import end
from grove_stack.plan import Plan
from grove_stack.services import SERVICES

LOOK_SECONDS = 0.1


class Crew:
    """The copies, by number. One is at work once its readiness names `job` no more among what degrades it."""

    def __init__(self, module: str, environments: list[dict[str, str]], job: str) -> None:
        self._module = module
        self._environments = environments
        self._job = job
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._killing: asyncio.Task[None] | None = None
        self.killed = 0

    def begin_killing(self, how: Coroutine[Any, Any, None]) -> None:
        """Have copies killed by `how`, until they are spared or the block ends."""
        self._killing = asyncio.create_task(how)

    async def spare(self) -> None:
        """Kill none any more."""
        if self._killing is not None:
            await end(self._killing)

    async def start(self, number: int) -> None:
        """Start a copy."""
        nowhere = asyncio.subprocess.DEVNULL
        self._running[number] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self._module, "worker", env=self._environments[number], stdout=nowhere, stderr=nowhere
        )

    async def kill(self, number: int, after_seconds: float) -> None:
        """Kill a copy that has been at work for so long, and start it again as an orchestrator would.

        One that is starting is left alone, or a slow machine would do nothing but start them.
        """
        while not await self._is_at_work(number):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.sleep(after_seconds)
        process = self._running[number]
        process.send_signal(signal.SIGKILL)
        await process.wait()
        self.killed += 1
        await self.start(number)

    async def end(self) -> None:
        """End all copies, and wait for it."""
        await self.spare()
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    async def _is_at_work(self, number: int) -> bool:
        ops = f"http://127.0.0.1:{self._environments[number]['OPS_PORT']}/health/ready"
        try:
            async with httpx2.AsyncClient(trust_env=False) as client:
                return self._job not in (await client.get(ops)).json()["degraded"]
        except (httpx2.HTTPError, ValueError):
            return False


@asynccontextmanager
async def crew(plan: Plan, name: str, *, copies: int, job: str, **settings: str) -> AsyncIterator[Crew]:
    """So many copies of the worker of the service `name`, with `settings` of their own; they end with the block."""
    service = next(service for service in SERVICES if service.name == name)
    environments = []
    for number in range(copies):
        instance = f"{name}-crew-{number}"
        plan.layout.ensure_identity(name, instance)
        own = {"OPS_PORT": str(plan.ports.pick(f"{instance}-ops")), "PORT": "0"}
        environments.append({**os.environ, **plan.environment(service, instance), **settings, **own})
    found = Crew(service.module, environments, job)
    try:
        for number in range(copies):
            await found.start(number)
        yield found
    finally:
        await found.end()
