"""One supervised process: its specification, its start, its end."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

Probe = Callable[[], Awaitable[str | None]]
"""None when ready, else a sentence about what is not."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run, and how to know that it is ready."""

    name: str
    command: list[str]
    probe: Probe
    environment: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    address: str | None = None
    ops_address: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 25.0
    start_seconds: float = 60.0
    before: Callable[[], None] | None = None
    """Prepares files just before each start."""

    def ports(self) -> list[int]:
        """Ports it will listen on."""
        return [int(a.rsplit(":", 1)[1]) for a in (self.address, self.ops_address) if a]


@dataclass(frozen=True, slots=True)
class StepSpec:
    """Something done once at each start of the stack, when what it needs is ready."""

    name: str
    run: Callable[[], Awaitable[None]]
    needs: tuple[str, ...] = ()


class StepFailed(Exception):
    """A step did not succeed; the message says what to do."""


class Child:
    """A running process."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process) -> None:
        self.spec = spec
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, spec: ProcessSpec, log: Path) -> "Child":
        """Start it in a session of its own, output to its log."""
        if spec.before is not None:
            spec.before()
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(spec.environment),
                start_new_session=True,
            )
        return cls(spec, process)

    async def wait(self) -> int:
        """Its exit code."""
        return await self._process.wait()

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process.returncode is None

    async def stop(self) -> None:
        """Ask the leader to end, then end the whole group."""
        if self.running:
            try:
                os.kill(self.pid, self.spec.stop_signal)
                async with asyncio.timeout(self.spec.stop_seconds):
                    await self._process.wait()
            except (ProcessLookupError, TimeoutError):
                pass
        end_group(self.pid)
        if self.running:
            await self._process.wait()


def end_group(leader: int) -> None:
    """Kill what is left of a process group that we started."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def started_at(pid: int) -> float | None:
    """When the process started: with its pid, its identity. None when it is gone."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def _environment(extra: dict[str, str]) -> dict[str, str]:
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "ENV_FILE")
        if name in os.environ
    }
    return {"HOME": os.environ.get("HOME", "/"), "PYTHONUNBUFFERED": "1", **kept, **extra}


def last_lines(log: Path, count: int = 20) -> list[str]:
    """The end of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
