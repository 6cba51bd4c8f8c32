"""Thousands of open sockets on one api process of the notification service: what each costs, how soon all are told."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import psutil

from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.ids import new_id
from grove_stack.bench import events, sign_ins
from grove_stack.bench.accounts import Row, people
from grove_stack.bench.crowd import Wanted, crowd
from grove_stack.bench.load import Target
from grove_stack.plan import Plan

PEOPLE = 250
EACH = 20
"""As many as one user may have open to a process."""
SOCKETS = PEOPLE * EACH
QUIET_SECONDS = 5.0
"""Until the suite is through with what the sign-ins and the connecting left."""
ROUNDS = 3
EDGE_EACH = 4
"""So many of each of PEOPLE are opened through the edge: what one takes there does not depend on it."""


async def rows(plan: Plan, suite: dict[str, Any]) -> AsyncIterator[Row]:
    """Memory of a socket, and the time until each had one message: from the fact at the broker to the last of them."""
    tokens = await _tokens(plan, suite)
    process = next(each for each in suite["processes"] if each["name"] == "notification-api")
    server = psutil.Process(process["pid"])
    before = server.memory_info().rss
    markers = [f"Bench {number}" for number in range(ROUNDS)]
    taken: list[list[float]] = []
    async with crowd(Wanted(_target(plan, "notification-api", suite), tokens, markers, EACH)) as sockets:
        await asyncio.sleep(QUIET_SECONDS)
        grown = server.memory_info().rss - before
        for marker in markers:
            began = time.perf_counter()
            await events.publish(plan, [_fact(token, marker) for token in tokens])
            taken.append(sorted(moment - began for moment in await sockets.arrivals()))
            await asyncio.sleep(QUIET_SECONDS)
    times = sorted(taken, key=lambda each: each[-1])[ROUNDS // 2]
    p50, p99 = times[SOCKETS // 2], times[int(SOCKETS * 0.99)]
    yield f"memory of one of {SOCKETS:,} open WebSockets", f"{grown / SOCKETS / 1024:.0f} KiB", "", "", ""
    yield (
        f"{SOCKETS:,} WebSockets opened, with TLS and sign-in",
        f"{SOCKETS / sockets.opened_seconds:.0f}/s",
        "",
        "",
        "",
    )
    yield (
        f"memory of one of {PEOPLE * EDGE_EACH:,} in the edge",
        f"{await _edge(plan, suite, tokens):.0f} KiB",
        "",
        "",
        "",
    )
    yield (
        f"{PEOPLE} tasks created → {SOCKETS:,} WebSockets on one process",
        f"p50 {p50:.2f} s, p99 {p99:.2f} s, all {times[-1]:.2f} s",
        "",
        "",
        "all ≤ 2 s",
    )


async def _edge(plan: Plan, suite: dict[str, Any], tokens: list[str]) -> float:
    """KiB that Traefik takes for a WebSocket, TLS on both sides."""
    traefik = psutil.Process(next(each["pid"] for each in suite["processes"] if each["name"] == "traefik"))
    before = traefik.memory_info().rss
    host = plan.api_url.removeprefix("https://").split(":")[0]
    target = Target(f"127.0.0.1:{plan.https_port}", host, suite["ca_file"], "")
    wanted = Wanted(target, tokens, ["what never comes"], EDGE_EACH)
    async with crowd(wanted):
        await asyncio.sleep(QUIET_SECONDS)
        grown: int = traefik.memory_info().rss - before
    return grown / wanted.count / 1024


async def _tokens(plan: Plan, suite: dict[str, Any]) -> list[str]:
    target = _target(plan, "auth-api", suite)
    async with httpx2.AsyncClient(verify=target.context(), base_url=f"https://{target.address}", timeout=60) as client:
        login = await client.post("/api/v1/auth/login", json=suite["admin"])
        emails = await people(client, login.json()["access_token"], PEOPLE)
    return await sign_ins.tokens(target, emails)


def _target(plan: Plan, name: str, suite: dict[str, Any]) -> Target:
    return Target(
        address=next(process["address"] for process in suite["processes"] if process["name"] == name),
        host="localhost",
        ca_file=str(plan.layout.internal_ca.certificate_file),
        identity=str(plan.layout.identity_file("traefik")),
    )


def _fact(token: str, title: str) -> TaskCreated:
    return TaskCreated(task_id=new_id(), user_id=_subject(token), title=title, created_at=now())


def _subject(token: str) -> UUID:
    claims = token.split(".")[1]
    return UUID(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])
