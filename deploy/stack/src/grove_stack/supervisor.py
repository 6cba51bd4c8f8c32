"""The supervisor: starts what is wanted in the order of its needs, restarts what dies, follows changes, ends all.

It is told what to run by `wanted.json` and SIGHUP, and tells what it does in `status.json` and `suite.json`.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from grove_stack.layout import read_json, write_json
from grove_stack.plan import ADMIN_EMAIL, Plan
from grove_stack.process import Child, ProcessSpec, StepFailed, StepSpec, end_group, last_lines, started_at
from grove_stack.settings import StackSettings

PROBE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 30.0
EDGE_SETTLE_SECONDS = 1.5
"""Longest that Traefik takes from a changed server list to the last request by the old one's routes."""


@dataclass
class State:
    """What is known of one process or step."""

    state: str = "waiting"
    detail: str = ""
    pid: int | None = None
    started: float | None = None
    restarts: int = 0


class Supervisor:
    """Runs one stack until told to stop."""

    def __init__(self, settings: StackSettings) -> None:
        self._plan = Plan(settings)
        self._layout = self._plan.layout
        self._states: dict[str, State] = {}
        self._ready: dict[str, asyncio.Event] = {}
        self._children: dict[str, Child] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._specs: dict[str, ProcessSpec] = {}
        self._leaving: set[str] = set()
        self._held: set[str] = set()
        self._released = asyncio.Event()
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._began = time.time()
        self._applied: dict[str, Any] = {}

    async def run(self) -> None:
        """Supervise until SIGTERM."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._changed.set)
        sweep(read_json(self._layout.status_file))
        try:
            self._plan.prepare()
            write_json(self._layout.root / "operator.json", self._plan.operator())
            self._begin()
            renewal = asyncio.create_task(self._renew())
            await self._follow()
            renewal.cancel()
        except StepFailed as failure:
            self._states["stack"] = State("failed", str(failure))
            self._write()
        await self._end()

    def _begin(self) -> None:
        self._applied = read_json(self._layout.wanted_file)
        scale = self._scale()
        specs = [*self._plan.servers(), *self._plan.suite(scale)]
        steps = self._plan.steps()
        for name in [spec.name for spec in specs] + [step.name for step in steps]:
            self._states[name] = State()
            self._ready[name] = asyncio.Event()
        for step in steps:
            self._running[step.name] = asyncio.create_task(self._guard(step.name, self._do_step(step)))
        for spec in specs:
            self._add(spec)
        self._write()

    def _add(self, spec: ProcessSpec) -> None:
        self._specs[spec.name] = spec
        self._states.setdefault(spec.name, State())
        self._ready.setdefault(spec.name, asyncio.Event())
        self._running[spec.name] = asyncio.create_task(self._guard(spec.name, self._keep(spec)))

    async def _follow(self) -> None:
        while not self._stop.is_set():
            waits = [asyncio.create_task(self._stop.wait()), asyncio.create_task(self._changed.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            if self._changed.is_set() and not self._stop.is_set():
                self._changed.clear()
                await self._rescale()

    async def _rescale(self) -> None:
        asked = read_json(self._layout.wanted_file)
        await self._hold(set(read_json(self._layout.wanted_file).get("stopped", [])))
        wanted = {spec.name: spec for spec in self._plan.suite(self._scale())}
        suite = {spec.name for spec in self._plan.suite({})} | {
            n for n in self._specs if n.rsplit("-", 1)[-1].isdigit()
        }
        surplus = [name for name in self._specs if name in suite and name not in wanted]
        for name, spec in wanted.items():
            if name not in self._specs:
                self._add(spec)
        if surplus:
            # First the edge sends nothing new there, then requests in hand end, then the process.
            self._leaving.update(surplus)
            self._servers_changed()
            await asyncio.sleep(EDGE_SETTLE_SECONDS)
            await asyncio.gather(*(self._remove(name) for name in surplus))
        self._applied = asked
        self._write()

    async def _hold(self, names: set[str]) -> None:
        """Stop these and leave them stopped; start again what was held before and is no longer."""
        fresh, self._held = names - self._held, names & set(self._specs)
        self._released.set()
        await asyncio.gather(*(self._children[name].stop() for name in fresh if name in self._children))

    async def _remove(self, name: str) -> None:
        self._running.pop(name).cancel()
        child = self._children.pop(name, None)
        if child is not None:
            await child.stop()
        del self._specs[name], self._states[name], self._ready[name]
        self._leaving.discard(name)

    async def _guard(self, name: str, work: Awaitable[None]) -> None:
        try:
            await work
        except StepFailed as failure:
            self._set(name, "failed", str(failure))

    async def _do_step(self, step: StepSpec) -> None:
        await self._needs(step.needs)
        self._set(step.name, "running")
        try:
            await step.run()
        except StepFailed:
            raise
        except Exception as error:
            raise StepFailed(f"{type(error).__name__}: {error}") from error
        self._set(step.name, "done")
        self._ready[step.name].set()

    async def _keep(self, spec: ProcessSpec) -> None:
        await self._needs(spec.needs)
        pause = 0.5
        while True:
            await self._while_held(spec.name)
            started = time.monotonic()
            code = await self._run_once(spec)
            self._ready[spec.name].clear()
            pause = 0.5 if time.monotonic() - started > 30 else min(MAX_PAUSE_SECONDS, pause * 2)
            state = self._states[spec.name]
            state.restarts += 1
            state.pid = None
            ever_ready = state.state == "ready" or state.restarts > 1
            tail = "\n".join(last_lines(self._layout.log_file(spec.name), 8))
            self._set(spec.name, "restarting" if ever_ready else "failing", f"exit code {code}\n{tail}")
            self._servers_changed()
            await asyncio.sleep(pause)

    async def _while_held(self, name: str) -> None:
        while name in self._held:
            self._set(name, "stopped")
            self._released.clear()
            await self._released.wait()

    async def _run_once(self, spec: ProcessSpec) -> int:
        self._set(spec.name, "starting")
        child = await Child.start(spec, self._layout.log_file(spec.name))
        self._children[spec.name] = child
        state = self._states[spec.name]
        state.pid, state.started = child.pid, started_at(child.pid)
        watch = asyncio.create_task(self._await_ready(spec, child))
        try:
            return await child.wait()
        finally:
            watch.cancel()
            end_group(child.pid)

    async def _await_ready(self, spec: ProcessSpec, child: Child) -> None:
        deadline = time.monotonic() + spec.start_seconds
        while child.running:
            problem = await spec.probe()
            if problem is None:
                self._ready[spec.name].set()
                self._set(spec.name, "ready")
                self._servers_changed()
                return
            late = time.monotonic() > deadline
            self._set(spec.name, "failing" if late else "starting", problem)
            await asyncio.sleep(PROBE_SECONDS)

    async def _needs(self, names: tuple[str, ...]) -> None:
        for name in names:
            await self._ready[name].wait()

    def _servers_changed(self) -> None:
        addresses: dict[str, list[str]] = {}
        for copy in self._plan.copies(self._scale_running()):
            spec = self._specs.get(copy.name)
            serves = copy.kind == "api" and copy.name not in self._leaving
            if serves and spec and spec.address and self._states[copy.name].state == "ready":
                addresses.setdefault(copy.service.name, []).append(spec.address)
        self._plan.edge.write_servers(addresses)

    def _scale(self) -> dict[str, int]:
        return {name: int(count) for name, count in read_json(self._layout.wanted_file).get("scale", {}).items()}

    def _scale_running(self) -> dict[str, int]:
        scale: dict[str, int] = {}
        for name in self._specs:
            base, _, number = name.rpartition("-")
            if number.isdigit():
                scale[base] = max(scale.get(base, 1), int(number))
        return scale

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(3600)
            if "traefik" in self._layout.renew_identities():
                self._plan.edge.renewed()

    async def _end(self) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        edge_first = [name for name in self._children if name in self._specs and name not in _server_names(self._plan)]
        await asyncio.gather(*(self._children[name].stop() for name in edge_first))
        rest = [name for name in self._children if name not in edge_first and name != "epmd"]
        await asyncio.gather(*(self._children[name].stop() for name in rest))
        if "epmd" in self._children:
            await self._children["epmd"].stop()
        failed = {name: state for name, state in self._states.items() if state.state == "failed"}
        self._states = failed
        self._write(stopped=True)
        self._layout.suite_file.unlink(missing_ok=True)

    def _set(self, name: str, state: str, detail: str = "") -> None:
        known = self._states[name]
        if (known.state, known.detail) != (state, detail):
            known.state, known.detail = state, detail
            self._write()

    def _write(self, *, stopped: bool = False) -> None:
        write_json(
            self._layout.status_file,
            {
                "supervisor": {"pid": os.getpid(), "started": started_at(os.getpid()), "stopped": stopped},
                "ready": bool(self._states) and all(s.state in {"ready", "done"} for s in self._states.values()),
                "applied": self._applied,
                "seconds": round(time.time() - self._began, 1),
                "parts": {name: asdict(state) for name, state in self._states.items()},
            },
        )
        if not stopped:
            write_json(self._layout.suite_file, self._suite())

    def _suite(self) -> dict[str, Any]:
        plan = self._plan
        return {
            "auth_url": plan.auth_url,
            "api_url": plan.api_url,
            "portal_url": plan.portal_url,
            "ca_file": str(self._layout.edge_ca.certificate_file),
            "mail_dir": str(plan.mail_dir),
            "sandbox_url": plan.sandbox_url,
            "admin": {"email": ADMIN_EMAIL, "password": self._layout.secret("operator", "admin_password")},
            "processes": [
                {
                    "name": name,
                    "pid": self._states[name].pid,
                    "address": spec.address,
                    "ops_address": spec.ops_address,
                    "log": str(self._layout.log_file(name)),
                }
                for name, spec in self._specs.items()
            ],
        }


def _server_names(plan: Plan) -> set[str]:
    return {spec.name for spec in plan.servers()}


def sweep(status: dict[str, Any]) -> None:
    """End what a supervisor that was killed left running: only processes that are still the ones it recorded."""
    left = []
    for part in status.get("parts", {}).values():
        pid, started = part.get("pid"), part.get("started")
        if pid and started and started_at(pid) == started:
            left.append(pid)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(psutil.pid_exists(pid) and started_at(pid) for pid in left):
        time.sleep(0.1)
    for pid in left:
        end_group(pid)


def main() -> None:
    """Entry of the background process."""
    asyncio.run(Supervisor(StackSettings()).run())


if __name__ == "__main__":
    main()
