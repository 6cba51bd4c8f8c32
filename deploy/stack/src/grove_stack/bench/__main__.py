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
from pathlib import Path
from typing import Any

import httpx2
import psutil
import websockets
from rich.console import Console
from rich.table import Table

from grove.core.clock import now
from grove.core.ids import new_id
from grove_stack.bench import events
from grove_stack.bench.load import Load, measure
from grove_stack.layout import Layout, read_json
from grove_stack.loopback import LoopbackTransport
from grove_stack.plan import Plan
from grove_stack.services import SERVICES
from grove_stack.settings import StackSettings
from grove_stack.testing.stacks import command, remove, start

SECONDS = 5.0
CONNECTIONS = 8
TASKS = 30
LIVE_TASKS = 250
LIVE_RATE = 50
ROOT = Path(__file__).parents[5]
console = Console()
Row = tuple[str, str, str, str, str]


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
    headers, user, task = await _prepare(suite)
    rows = await _http(layout, suite, headers, user, task)
    console.print("Task created → WebSocket …")
    latencies = sorted(await _live(suite, headers))
    p50, p99 = statistics.median(latencies), latencies[int(len(latencies) * 0.99)]
    rows.append(
        (f"task created → WebSocket, {LIVE_RATE}/s", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", "", "", "p50 ≤ 25 ms")
    )
    console.print("Events …")
    for worker in ("resource-worker", "notification-worker"):
        command(folder, "stack", "stop", worker)
    plan = Plan(StackSettings(state_dir=folder, https_port=0, http_port=0))
    ours, bare = await events.through_outbox(plan), await events.bare(plan)
    rows.append(
        ("events from commit to effect", f"{ours:.0f}/s", f"{bare:.0f}/s bare aio-pika", f"{ours / bare:.2f}", "≥ 0.25")
    )
    return rows


async def _prepare(suite: dict[str, Any]) -> tuple[dict[str, str], str, str]:
    context = ssl.create_default_context(cafile=suite["ca_file"])
    async with httpx2.AsyncClient(transport=LoopbackTransport(verify=context), timeout=20) as client:
        login = await client.post(f"{suite['auth_url']}/api/v1/auth/login", json=suite["admin"])
        headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
        for number in range(TASKS):
            made = await client.post(
                f"{suite['api_url']}/api/v1/tasks", json={"title": f"Task {number}"}, headers=headers
            )
        return headers, made.json()["user_id"], made.json()["id"]


async def _http(layout: Layout, suite: dict[str, Any], headers: dict[str, str], user: str, task: str) -> list[Row]:
    plan = Plan(StackSettings(state_dir=layout.root, https_port=0, http_port=0))
    port = plan.ports.pick("bench-limit")
    service = next(service for service in SERVICES if service.name == "resource")
    environment = {**os.environ, **plan.environment(service, "resource-api"), "PORT": str(port)}
    limit = subprocess.Popen([sys.executable, "-m", "grove_stack.bench.limit"], env=environment)  # noqa: ASYNC220
    try:
        await _listening(port)
        address = next(p["address"] for p in suite["processes"] if p["name"] == "resource-api")
        inside = {"ca_file": str(layout.internal_ca.certificate_file), "identity": str(layout.identity_file("traefik"))}
        body = json.dumps({"title": "Plant a tree"})
        rows: list[Row] = []
        direct = 0.0
        for name, method, ours, theirs, sent, aim in (
            ("list, 20 of 30 tasks", "GET", "/api/v1/tasks", f"/tasks?user={user}", "", "≥ 0.4"),
            ("get one task", "GET", f"/api/v1/tasks/{task}", f"/tasks/{task}?user={user}", "", ""),
            ("create a task", "POST", "/api/v1/tasks", f"/tasks?user={new_id()}", body, ""),
        ):
            console.print(f"{name} …")
            json_headers = {"Content-Type": "application/json"} if sent else {}
            common: dict[str, Any] = {
                "host": "localhost",
                "method": method,
                "body": sent,
                "connections": CONNECTIONS,
                "seconds": SECONDS,
                **inside,
            }
            grove, size = await measure(Load(address=address, path=ours, headers=headers | json_headers, **common))
            bare, other = await measure(Load(address=f"127.0.0.1:{port}", path=theirs, headers=json_headers, **common))
            if method == "GET" and not direct:
                direct = grove
            rows.append(
                (
                    f"{name} ({size} bytes)",
                    f"{grove:.0f}/s",
                    f"{bare:.0f}/s bare asyncpg ({other} bytes)",
                    f"{grove / bare:.2f}",
                    aim,
                )
            )
            if name.startswith("list"):
                rows.append(await _edge(suite, headers, direct))
        return rows
    finally:
        limit.terminate()
        limit.wait()


async def _edge(suite: dict[str, Any], headers: dict[str, str], direct: float) -> Row:
    host = suite["api_url"].removeprefix("https://")
    load = Load(
        address=f"127.0.0.1:{host.split(':')[1]}",
        host=host,
        ca_file=suite["ca_file"],
        identity="",
        method="GET",
        path="/api/v1/tasks",
        headers=headers,
        body="",
        connections=CONNECTIONS,
        seconds=SECONDS,
    )
    edge, _ = await measure(load)
    return (
        "the same list through the edge",
        f"{edge:.0f}/s",
        f"{direct:.0f}/s direct",
        f"{edge / direct:.2f}",
        "≥ 0.6",
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
        f"generator, stores and the rest of the suite on the same cores; {CONNECTIONS} connections for {SECONDS:.0f} s "
        "each. "
        "Absolute figures are this machine's; the ratios are taken in one run.",
        "",
        "| what | Grove | beside it | ratio | aim |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        "Beside it: a FastAPI route that returns one statement's JSON from bare asyncpg, with mTLS like the",
        "service, without sign-in, limits, logs, metrics, events or errors. Creating writes an event in the",
        "same transaction; the bare route does not. No figure of auth is published: its local store is a",
        "stand-in for MongoDB.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
