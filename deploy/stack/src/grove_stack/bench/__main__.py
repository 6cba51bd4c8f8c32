"""Start a stack, measure, print a table, write docs/benchmarks.md, remove the stack."""

import asyncio
import json
import os
import platform
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import psutil
import websockets
from rich.console import Console
from rich.table import Table

from grove.core.clock import now
from grove.core.ids import new_id
from grove_stack.bench import accounts, events
from grove_stack.bench.accounts import Row
from grove_stack.bench.load import Load, Target, measure
from grove_stack.layout import Layout, read_json
from grove_stack.loopback import LoopbackTransport
from grove_stack.plan import Plan
from grove_stack.services import SERVICES
from grove_stack.settings import StackSettings
from grove_stack.testing.stacks import command, remove, start

SECONDS = 1.5
ROUNDS = 5
CONNECTIONS = 8
TASKS = 30
LIVE_TASKS = 250
LIVE_RATE = 50
ROOT = Path(__file__).parents[5]
console = Console()


def main() -> None:
    """Measure everything."""
    folder = Path(tempfile.mkdtemp(prefix="grove-bench-"))
    console.print("Starting a stack …")
    start(folder, durable="true")
    try:
        rows = asyncio.run(_all(folder))
    finally:
        remove(folder)
    table = Table("what", "Grove", "beside it", "ratio", "aim")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    (ROOT / "docs" / "benchmarks.md").write_text(_page(rows), encoding="utf-8")
    console.print("Written to docs/benchmarks.md.")


async def _all(folder: Path) -> list[Row]:
    layout = Layout(folder)
    suite = read_json(layout.suite_file)
    plan = Plan(StackSettings(state_dir=folder, https_port=0, http_port=0))
    rows = await _http(plan, suite)
    console.print("Task created → WebSocket …")
    latencies = sorted(await _live(suite, (await _user(plan, suite)).headers))
    p50, p99 = statistics.median(latencies), latencies[int(len(latencies) * 0.99)]
    rows.append(
        (f"task created → WebSocket, {LIVE_RATE}/s", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", "", "", "p50 ≤ 25 ms")
    )
    rows += await accounts.rows(layout, suite)
    console.print("Events …")
    for worker in ("resource-worker", "notification-worker"):
        command(folder, "stack", "stop", worker)
    rounds = [(await events.through_outbox(plan), await events.bare(plan)) for _ in range(3)]
    ours, bare = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    ratio = statistics.median(mine / other for mine, other in rounds)
    rows.append(
        ("events from commit to effect", f"{ours:.0f}/s", f"{bare:.0f}/s bare aio-pika", f"{ratio:.2f}", "≥ 0.25")
    )
    return rows


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with TASKS tasks; `task` is the last of them."""

    headers: dict[str, str]
    id: str
    task: str


async def _user(plan: Plan, suite: dict[str, Any]) -> User:
    """A new one for each round: rate limits are per user, and one alone would meet his."""
    context = ssl.create_default_context(cafile=suite["ca_file"])
    email = f"bench-{new_id()}@grove.example"
    await plan.create_admin(email)
    async with httpx2.AsyncClient(transport=LoopbackTransport(verify=context), timeout=20) as client:
        login = await client.post(f"{suite['auth_url']}/api/v1/auth/login", json={**suite["admin"], "email": email})
        headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
        for number in range(TASKS):
            made = await client.post(
                f"{suite['api_url']}/api/v1/tasks", json={"title": f"Task {number}"}, headers=headers
            )
        return User(headers, made.json()["user_id"], made.json()["id"])


async def _http(plan: Plan, suite: dict[str, Any]) -> list[Row]:
    layout = plan.layout
    port = plan.ports.pick("bench-limit")
    service = next(service for service in SERVICES if service.name == "resource")
    environment = {**os.environ, **plan.environment(service, "resource-api"), "PORT": str(port)}
    limit = subprocess.Popen([sys.executable, "-m", "grove_stack.bench.limit"], env=environment)  # noqa: ASYNC220
    try:
        await _listening(port)
        address = next(p["address"] for p in suite["processes"] if p["name"] == "resource-api")
        ca_file, identity = str(layout.internal_ca.certificate_file), str(layout.identity_file("traefik"))
        service_target = Target(address, "localhost", ca_file, identity)
        bare_target = Target(f"127.0.0.1:{port}", "localhost", ca_file, identity)
        body = json.dumps({"title": "Plant a tree"})
        rows: list[Row] = []
        for name, method, path, bare_path, sent, aim in (
            ("list, 20 of 30 tasks", "GET", "/api/v1/tasks", "/tasks?user={user}", "", "≥ 0.4"),
            ("get one task", "GET", "/api/v1/tasks/{task}", "/tasks/{task}?user={user}", "", ""),
            ("create a task", "POST", "/api/v1/tasks", "/tasks?user={user}", body, ""),
        ):
            console.print(f"{name} …")
            users = [await _user(plan, suite) for _ in range(ROUNDS)]
            json_headers = {"Content-Type": "application/json"} if sent else {}
            common: dict[str, Any] = {
                "method": method,
                "body": sent,
                "connections": CONNECTIONS,
                "seconds": SECONDS,
            }
            grove = [
                Load(
                    target=service_target,
                    path=path.format(task=user.task),
                    headers=user.headers | json_headers,
                    **common,
                )
                for user in users
            ]
            bare = [
                Load(
                    target=bare_target,
                    path=bare_path.format(user=user.id, task=user.task),
                    headers=json_headers,
                    **common,
                )
                for user in users
            ]
            rows.append(await _beside(name, grove, bare, "bare asyncpg", aim))
            if name.startswith("list"):
                users = [await _user(plan, suite) for _ in range(ROUNDS)]
                edge = [_through_edge(suite, user.headers) for user in users]
                direct = [replace(load, headers=user.headers) for load, user in zip(grove, users, strict=True)]
                rows.append(await _beside("the same list through the edge", edge, direct, "direct", "≥ 0.6"))
        return rows
    finally:
        limit.terminate()
        limit.wait()


def _through_edge(suite: dict[str, Any], headers: dict[str, str]) -> Load:
    host = suite["api_url"].removeprefix("https://")
    return Load(
        target=Target(f"127.0.0.1:{host.split(':')[1]}", host, suite["ca_file"], identity=""),
        method="GET",
        path="/api/v1/tasks",
        headers=headers,
        body="",
        connections=CONNECTIONS,
        seconds=SECONDS,
    )


async def _beside(name: str, grove: list[Load], other: list[Load], other_name: str, aim: str) -> Row:
    """Both in turns, a round each, so that a machine that slows down slows both; the middle of the rounds."""
    rounds = [(await measure(mine), await measure(their)) for mine, their in zip(grove, other, strict=True)]
    ours = statistics.median(mine for (mine, _), _ in rounds)
    theirs = statistics.median(their for _, (their, _) in rounds)
    ratio = statistics.median(mine / their for (mine, _), (their, _) in rounds)
    size, other_size = rounds[0][0][1], rounds[0][1][1]
    return (
        f"{name} ({size} bytes)",
        f"{ours:.0f}/s",
        f"{theirs:.0f}/s {other_name} ({other_size} bytes)",
        f"{ratio:.2f}",
        aim,
    )


async def _live(suite: dict[str, Any], headers: dict[str, str]) -> list[float]:
    context = ssl.create_default_context(cafile=suite["ca_file"])
    created: dict[str, float] = {}
    seen: dict[str, float] = {}
    url = suite["api_url"].replace("https:", "wss:") + "/api/v1/notifications/stream"
    connect = websockets.connect(url, host="127.0.0.1", ssl=context, additional_headers=headers, proxy=None)
    async with connect as socket, httpx2.AsyncClient(transport=LoopbackTransport(verify=context), timeout=20) as client:

        async def read() -> None:
            async for text in socket:
                frame = json.loads(text)
                if frame["type"] == "notification":
                    seen[frame["data"]["task_id"]] = time.perf_counter()

        async def create() -> None:
            answer = await client.post(f"{suite['api_url']}/api/v1/tasks", json={"title": "Live"}, headers=headers)
            created[answer.json()["id"]] = time.perf_counter()

        reading = asyncio.create_task(read())
        creating = []
        for _ in range(LIVE_TASKS):
            creating.append(asyncio.create_task(create()))
            await asyncio.sleep(1 / LIVE_RATE)
        await asyncio.gather(*creating)
        async with asyncio.timeout(30):
            while not set(created) <= set(seen):
                await asyncio.sleep(0.05)
        reading.cancel()
    # From the 201 in the client's hand; a push may be quicker than the answer, which counts as nothing.
    return [max(0.0, (seen[task] - moment) * 1000) for task, moment in created.items()]


async def _listening(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


def _page(rows: list[Row]) -> str:
    memory = psutil.virtual_memory().total / 2**30
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {now():%Y-%m-%d}: {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}; one resource process, load "
        f"generator, stores and the rest of the suite on the same cores; {CONNECTIONS} connections; both sides in "
        f"turns, {ROUNDS} rounds of {SECONDS} s each, the median of the "
        "rates and of each round's ratio. Absolute figures are this machine's.",
        "",
        "| what | Grove | beside it | ratio | aim |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        "Beside it: a FastAPI route that returns one statement's JSON from bare asyncpg, with mTLS like the",
        "service, without sign-in, limits, logs, metrics, events or errors. Creating writes an event in the",
        "same transaction; the bare route does not. Auth's figures hold for its local store, a stand-in for MongoDB",
        "that works on the same cores as the hashes, and say little about a real one. A login's other work, there and",
        "in the services, keeps its rate below the most that hashing alone would allow.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
