"""Logins and refreshes as fast as they go, from a process of its own; and what accounts notice of a storm of them."""

import asyncio
import json
import ssl
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Literal

from grove_stack.bench.load import Connection, Target

PASSWORD = "plant trees not walls"  # noqa: S105 - of accounts that live as long as the benchmark  # pragma: allowlist secret
LOGIN, REFRESH, ME = "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/me"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class SignIns:
    """What to do, as whom, over how many connections, and for how long."""

    kind: Literal["login", "refresh"]
    target: Target
    emails: list[str]
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Counted:
    """Answers per second with 200, and how many said 503: come back later."""

    rate: float
    later: int


async def measure(wanted: SignIns) -> Counted:
    """Do it."""
    async with _process(wanted) as process:
        output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"The load of {wanted.kind}s failed; see above.")
    return Counted(**json.loads(output))


@asynccontextmanager
async def storm(wanted: SignIns) -> AsyncIterator[None]:
    """Have it done beside what the block does, and end it with the block."""
    async with _process(wanted) as process:
        await asyncio.sleep(1.5)  # until its connections are up
        yield
        if process.returncode is not None:
            raise RuntimeError(f"The storm of {wanted.kind}s was over before the block; see above.")


async def me_times(target: Target, email: str, times: int, pause: float) -> list[float]:
    """Milliseconds that GET /me took, sorted: asked `times` times with pauses in seconds."""
    connection = await Connection.open(target, target.context())
    token = (await _login(connection, target, email))["access_token"]
    request = target.request("GET", ME, {"Authorization": f"Bearer {token}"})
    found: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        status, body = await connection.exchange(request)
        found.append((time.perf_counter() - began) * 1000)
        if status != 200:
            raise RuntimeError(f"{status} {body[:500].decode()}")
        await asyncio.sleep(pause)
    connection.close()
    return sorted(found)


async def tokens(target: Target, emails: list[str]) -> list[str]:
    """An access token of each, one after the other."""
    connection = await Connection.open(target, target.context())
    found = [(await _login(connection, target, email))["access_token"] for email in emails]
    connection.close()
    return found


@asynccontextmanager
async def _process(wanted: SignIns) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, json.dumps(asdict(wanted)), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _login(connection: Connection, target: Target, email: str) -> dict[str, str]:
    status, body = await connection.exchange(_login_request(target, email))
    if status != 200:
        raise RuntimeError(f"{status} {body[:500].decode()}")
    answer: dict[str, str] = json.loads(body)
    return answer


def _login_request(target: Target, email: str) -> bytes:
    return target.request("POST", LOGIN, JSON, json.dumps({"email": email, "password": PASSWORD}))


async def _run(wanted: SignIns) -> None:
    context = wanted.target.context()
    one = {"login": _logins, "refresh": _refreshes}[wanted.kind]
    counts: Counter[int] = Counter()
    people = cycle(wanted.emails)
    began = time.perf_counter()
    until = began + wanted.seconds
    await asyncio.gather(*(one(wanted, context, people, counts, until) for _ in range(wanted.connections)))
    told = Counted(counts[200] / (time.perf_counter() - began), counts[503])
    print(json.dumps(asdict(told)))  # noqa: T201 - the answer to the parent


async def _logins(
    wanted: SignIns, context: ssl.SSLContext, people: "cycle[str]", counts: Counter[int], until: float
) -> None:
    connection = await Connection.open(wanted.target, context)
    while time.perf_counter() < until:
        status, body = await connection.exchange(_login_request(wanted.target, next(people)))
        _count(counts, status, body)
    connection.close()


async def _refreshes(
    wanted: SignIns, context: ssl.SSLContext, people: "cycle[str]", counts: Counter[int], until: float
) -> None:
    connection = await Connection.open(wanted.target, context)
    token = (await _login(connection, wanted.target, next(people)))["refresh_token"]
    while time.perf_counter() < until:
        body = json.dumps({"refresh_token": token})
        status, answer = await connection.exchange(wanted.target.request("POST", REFRESH, JSON, body))
        _count(counts, status, answer)
        token = json.loads(answer)["refresh_token"]
    connection.close()


def _count(counts: Counter[int], status: int, body: bytes) -> None:
    if status not in {200, 503}:
        raise RuntimeError(f"{status} {body[:500].decode()}")
    counts[status] += 1


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(_run(SignIns(**{**given, "target": Target(**given["target"])})))
