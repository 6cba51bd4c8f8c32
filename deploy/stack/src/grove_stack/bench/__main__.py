"""Start a stack, measure, print a table, write docs/benchmarks.md, remove the stack."""

import asyncio
import json
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import websockets
from rich.console import Console
from rich.table import Table

from grove_stack.bench import accounts, events, page, providers, resource, sockets, somebody
from grove_stack.bench.accounts import Row
from grove_stack.bench.resource import CONNECTIONS, ROUNDS, SECONDS
from grove_stack.layout import read_json
from grove_stack.loopback import LoopbackTransport
from grove_stack.plan import Plan
from grove_stack.settings import StackSettings
from grove_stack.testing.stacks import command, remove, start

LIVE_TASKS = 250
LIVE_RATE = 50
console = Console()


def main(wanted: list[str]) -> None:
    """Measure the parts that are named, or all, and write down what they give; other parts keep their sections."""
    if unknown := set(wanted) - set(PARTS):
        raise SystemExit(f"There is no part {', '.join(unknown)}. There are {', '.join(PARTS)}.")
    folder = Path(tempfile.mkdtemp(prefix="grove-bench-"))
    console.print("Starting a stack …")
    start(folder, durable="true")
    try:
        measured = asyncio.run(_measured(folder, [part for part in PARTS if part in wanted or not wanted]))
    finally:
        remove(folder)
    table = Table("what", "Grove", "beside it", "ratio", "aim")
    for rows in measured.values():
        for row in rows:
            table.add_row(*row)
    console.print(table)
    page.write({part: (PARTS[part].note, rows) for part, rows in measured.items()}, list(PARTS))
    console.print("Written to docs/benchmarks.md.")


async def _measured(folder: Path, parts: list[str]) -> dict[str, list[Row]]:
    plan = Plan(StackSettings(state_dir=folder, https_port=0, http_port=0))
    suite = read_json(plan.layout.suite_file)
    measured: dict[str, list[Row]] = {}
    for part in parts:
        console.rule(part, align="left")
        rows = measured[part] = []
        async for row in PARTS[part].rows(plan, suite):
            console.print("  ".join(filter(None, row)))
            rows.append(row)
    return measured


async def _pushes(plan: Plan, suite: dict[str, Any]) -> AsyncIterator[Row]:
    latencies = sorted(await _live(plan, suite))
    p50, p99 = statistics.median(latencies), latencies[int(len(latencies) * 0.99)]
    took, aim = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", "p50 ≤ 25 ms, p99 ≤ 100 ms"
    yield f"task created → WebSocket, {LIVE_RATE}/s", took, "", "", aim


async def _events(plan: Plan, _: dict[str, Any]) -> AsyncIterator[Row]:
    yield "facts of tasks told by one notification-worker", f"{await events.told(plan):.0f}/s", "", "", ""
    for worker in ("resource-worker", "notification-worker"):
        command(plan.layout.root, "stack", "stop", worker)
    rounds = [(await events.through_outbox(plan), await events.bare(plan)) for _ in range(3)]
    ours, bare = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    ratio = statistics.median(mine / other for mine, other in rounds)
    yield "events from commit to effect", f"{ours:.0f}/s", f"{bare:.0f}/s bare aio-pika", f"{ratio:.2f}", "≥ 0.5"


async def _live(plan: Plan, suite: dict[str, Any]) -> list[float]:
    context = ssl.create_default_context(cafile=suite["ca_file"])
    headers = await somebody.headers(plan, suite, context)
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


@dataclass(frozen=True, slots=True)
class Part:
    """What is measured together. `note`: how to read it."""

    rows: Callable[[Plan, dict[str, Any]], AsyncIterator[Row]]
    note: str


_BESIDE = (
    "One resource process, load generator, stores and the rest of the suite on the same cores; "
    f"{CONNECTIONS} connections; both sides in turns, {ROUNDS} rounds of {SECONDS} s each, the median of the rates and "
    "of each round's ratio. Beside it: a FastAPI route that returns one statement's JSON from bare asyncpg, with mTLS "
    "like the service, without sign-in, limits, logs, metrics, events or errors. Creating writes an event in the same "
    "transaction; the bare route does not."
)
_ACCOUNTS = (
    "These figures hold for auth's local store, a stand-in for MongoDB that works on the same cores as the hashes, and "
    "say little about a real one. A login's other work, there and in the services, keeps its rate below the most that "
    "hashing alone would allow."
)
_PROVIDERS = (
    f"First runs of customers with some {providers.BOOKINGS:,} bookings each, {providers.PAGE_SIZE} on a "
    "page, from the first one's start to the last one's end; worker, sandbox, database and the rest of the suite on "
    f"the same cores, {providers.ROUNDS} rounds in turns. Beside it: a bare client that reads the same pages, as many "
    "at once."
)
PARTS: dict[str, Part] = {  # in this order: the last one stops the workers
    "live": Part(_pushes, "From the 201 in the client's hand to the frame in its socket."),
    "resource": Part(resource.rows, _BESIDE),
    "accounts": Part(accounts.rows, _ACCOUNTS),
    "sockets": Part(sockets.rows, "The clients are on the same cores; the median of three rounds."),
    "providers": Part(providers.rows, _PROVIDERS),
    "events": Part(_events, "Bare aio-pika publishes and consumes the same messages, without any store."),
}

if __name__ == "__main__":
    main(sys.argv[1:])
