"""The resource service beside its limit (limit.py), with a thousand rows of others in its tables and with a million."""

import asyncio
import json
import os
import ssl
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx2
from rich.console import Console

from grove.core.ids import new_id
from grove.web.pagination import encode_cursor
from grove_stack.bench.accounts import Row
from grove_stack.bench.cases import CASES, DATA, LIST, LOG, SCHEMA, Case, Question, User
from grove_stack.bench.filling import Filling
from grove_stack.bench.load import Load, Target, measure
from grove_stack.loopback import LoopbackTransport
from grove_stack.plan import Plan
from grove_stack.services import SERVICES

SECONDS = 1.5
ROUNDS = 5
CONNECTIONS = 8
TASKS = 30
MOMENTS = 500
FEW, MANY = 1_000, 1_000_000
DEEP_ROUNDS = 3
_CHECK = """
import asyncio, time, uuid
from grove_resource.activities.data_schemas.checks import DataChecks
async def main():
    checks, version = DataChecks(), (uuid.UUID(int=1), 1)
    checks.remember(version, {schema})
    began = time.perf_counter()
    for _ in range(10_000):
        assert await checks.violations(checks.known(version), {data}) == []
    print((time.perf_counter() - began) / 10_000)
asyncio.run(main())
"""
console = Console()


@dataclass(frozen=True, slots=True)
class Bench:
    """The running suite, and its limit beside it."""

    plan: Plan
    suite: dict[str, Any]
    service: Target
    limit: Target

    async def user(self, filling: Filling) -> User:
        """A new one: rate limits are per user, and one alone would meet theirs."""
        context = ssl.create_default_context(cafile=self.suite["ca_file"])
        email = f"bench-{new_id()}@grove.example"
        await self.plan.create_admin(email)
        async with httpx2.AsyncClient(transport=LoopbackTransport(verify=context), timeout=20) as client:

            async def post(url: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
                answer = await client.post(url, json=body, headers=headers)
                answer.raise_for_status()
                return dict(answer.json())

            login = await post(f"{self.suite['auth_url']}/api/v1/auth/login", {**self.suite["admin"], "email": email})
            headers = {"Authorization": f"Bearer {login['access_token']}"}
            api = f"{self.suite['api_url']}/api/v1"
            for number in range(TASKS):
                task = await post(f"{api}/tasks", {"title": f"Plant tree {number}"}, headers)
            activity = await post(f"{api}/activities", {"name": "Run", "data_schema": SCHEMA}, headers)
        await filling.give_moments(UUID(task["user_id"]), UUID(activity["id"]), MOMENTS)
        return User(headers, task["user_id"], task["id"], activity["id"])

    def loads(self, case: Case, users: list[User]) -> tuple[list[Load], list[Load]]:
        """What is asked of the service, and of the limit, a round each."""
        return (
            [_load(self.service, case.service, user, user.headers) for user in users],
            [_load(self.limit, case.limit, user, {}) for user in users],
        )


def _load(target: Target, question: Question, user: User, headers: dict[str, str]) -> Load:
    path, body = question.of(user)
    kind = {"Content-Type": "application/json"} if body else {}
    return Load(target, question.method, path, headers | kind, body, CONNECTIONS, SECONDS)


@asynccontextmanager
async def _bench(plan: Plan, suite: dict[str, Any]) -> AsyncIterator[Bench]:
    layout = plan.layout
    port = plan.ports.pick("bench-limit")
    service = next(service for service in SERVICES if service.name == "resource")
    environment = {**os.environ, **plan.environment(service, "resource-api"), "PORT": str(port)}
    limit = subprocess.Popen([sys.executable, "-m", "grove_stack.bench.limit"], env=environment)  # noqa: ASYNC220
    try:
        await _listening(port)
        address = next(p["address"] for p in suite["processes"] if p["name"] == "resource-api")
        certificates = str(layout.internal_ca.certificate_file), str(layout.identity_file("traefik"))
        yield Bench(
            plan,
            suite,
            Target(address, "localhost", *certificates),
            Target(f"127.0.0.1:{port}", "localhost", *certificates),
        )
    finally:
        limit.terminate()
        limit.wait()


async def rows(plan: Plan, suite: dict[str, Any]) -> AsyncIterator[Row]:
    """Every case beside the limit, then with a million rows, then deep pages."""
    async with _bench(plan, suite) as bench, Filling(plan) as filling:
        await filling.grow(FEW, json.dumps(SCHEMA))
        users = [await bench.user(filling) for _ in range(ROUNDS)]
        few: dict[str, float] = {}
        for case in CASES:
            few[case.name], row = await _beside(case.name, *bench.loads(case, users), "bare asyncpg", case.aim)
            yield row
        yield await _schema_check(few[LOG.name])
        yield await _edge(bench, [await bench.user(filling) for _ in range(ROUNDS)])
        console.print("Filling in a million tasks and moments …")
        await filling.grow(MANY, json.dumps(SCHEMA))
        users = [await bench.user(filling) for _ in range(ROUNDS)]
        for case in CASES:
            ours, _ = bench.loads(case, users)
            rate = statistics.median([(await measure(load))[0] for load in ours])
            before = few[case.name]
            name = f"{case.name}, among {MANY:,} rows"
            yield name, f"{rate:.0f}/s", f"{before:.0f}/s among {FEW:,}", f"{rate / before:.2f}", "≥ 0.8"
        yield await _deep(bench, filling, [await bench.user(filling) for _ in range(DEEP_ROUNDS)])


async def _schema_check(logged_per_second: float) -> Row:
    """Checking a moment's data, by itself, and its part in logging one."""
    program = _CHECK.format(schema=SCHEMA, data=DATA)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    seconds = float(told)
    part = seconds * logged_per_second
    return ("schema check of a moment", f"{seconds * 1e6:.1f} µs", "of logging one", f"{part:.2%}", "< 5 %")


async def _edge(bench: Bench, users: list[User]) -> Row:
    direct, _ = bench.loads(LIST, users)
    host = bench.suite["api_url"].removeprefix("https://")
    edge = Target(f"127.0.0.1:{host.split(':')[1]}", host, bench.suite["ca_file"], identity="")
    through = [replace(load, target=edge) for load in direct]
    return (await _beside("the same list through the edge", through, direct, "direct", "≥ 0.6"))[1]


async def _deep(bench: Bench, filling: Filling, users: list[User]) -> Row:
    """The first page of a walk through 200,020 tasks, and the 10,000th."""
    console.print("Filling in tasks for 10,000 pages …")
    places = await filling.give_deep([UUID(user.id) for user in users])
    cursors = [encode_cursor(["-created_at"], [place.created_at.isoformat(), str(place.id)]) for place in places]
    near = [_load(bench.service, _page(""), user, user.headers) for user in users]
    deep = [
        _load(bench.service, _page(cursor), user, user.headers) for user, cursor in zip(users, cursors, strict=True)
    ]
    return (await _beside("page 10,000 of a cursor walk", deep, near, "page 1", "≥ 0.8"))[1]


def _page(cursor: str) -> Question:
    return Question("GET", f"/api/v1/tasks?cursor={quote(cursor)}")


async def _beside(name: str, ours: list[Load], other: list[Load], other_name: str, aim: str) -> tuple[float, Row]:
    """Both in turns, a round each, so that a machine that slows down slows both; the middle of the rounds."""
    rounds = [(await measure(mine), await measure(their)) for mine, their in zip(ours, other, strict=True)]
    rate = statistics.median(mine for (mine, _), _ in rounds)
    theirs = statistics.median(their for _, (their, _) in rounds)
    ratio = statistics.median(mine / their for (mine, _), (their, _) in rounds)
    size, other_size = rounds[0][0][1], rounds[0][1][1]
    return rate, (
        f"{name} ({size} bytes)",
        f"{rate:.0f}/s",
        f"{theirs:.0f}/s {other_name} ({other_size} bytes)",
        f"{ratio:.2f}",
        aim,
    )


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
