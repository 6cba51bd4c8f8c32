"""What the auth service does in a second, and what a storm of logins does to everybody else."""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from rich.console import Console

from grove.core.ids import new_id
from grove.security.tokens import KeyCache, TokenVerifier
from grove_stack.bench import cpu, sign_ins
from grove_stack.bench.load import Target
from grove_stack.bench.sign_ins import PASSWORD, SignIns
from grove_stack.plan import Plan

Row = tuple[str, str, str, str, str]
PEOPLE = 32
CONNECTIONS = 8
STORM_CONNECTIONS = 32
ROUNDS = 3
SECONDS = 4.0
ME_TIMES = 300
ME_PAUSE = 0.03
AFTERMATH_SECONDS = 5.0
"""Until the suite is through with what a storm left: events, mails, seals."""
STORM_SECONDS = 120.0
"""Longer than asking takes; it ends with that."""
CHECKS = 2000
console = Console()


@dataclass(frozen=True, slots=True)
class Worked:
    """CPU seconds by process, before and after so many logins."""

    before: dict[str, float]
    after: dict[str, float]
    logins: float

    def milliseconds(self, process: str | None = None) -> float:
        """Of one login, in one process or in all."""
        names = [process] if process else list(self.before)
        return sum(self.after[name] - self.before[name] for name in names) / self.logins * 1000


async def rows(plan: Plan, suite: dict[str, Any]) -> AsyncIterator[Row]:
    """Logins, refreshes, token checks, and /me in a storm."""
    target = Target(
        address=next(p["address"] for p in suite["processes"] if p["name"] == "auth-api"),
        host="localhost",
        ca_file=str(plan.layout.internal_ca.certificate_file),
        identity=str(plan.layout.identity_file("traefik")),
    )
    async with httpx2.AsyncClient(verify=target.context(), base_url=f"https://{target.address}", timeout=60) as client:
        login = await client.post("/api/v1/auth/login", json=suite["admin"])
        token = login.json()["access_token"]
        emails = await people(client, token, PEOPLE)
        for row in await _checks(client, suite, token):
            yield row
    hash_seconds = _hash_seconds()
    most = (os.cpu_count() or 1) / hash_seconds
    before = cpu.seconds(suite)
    rates = [await _rate("login", target, emails) for _ in range(ROUNDS)]
    logins, worked = statistics.median(rates), Worked(before, cpu.seconds(suite), sum(rates) * SECONDS)
    yield "logins", f"{logins:.0f}/s", f"{most:.0f}/s: cores ÷ time of one hash", f"{logins / most:.2f}", "≥ 0.85"
    yield (
        "CPU time of one login, in all processes",
        f"{worked.milliseconds():.0f} ms",
        f"{hash_seconds * 1000:.0f} ms: its hash; {worked.milliseconds('auth-api'):.0f} ms: auth-api with "
        f"the hash; {worked.milliseconds('mongodb'):.0f} ms: the document store",
        "",
        "",
    )
    yield "refreshes", f"{await _median(lambda: _rate('refresh', target, emails)):.0f}/s", "", "", ""
    idle, stormy = await _me_times(target, emails)
    yield (
        "p99 of `/me` in a storm of logins",
        f"{stormy:.1f} ms",
        f"{idle:.1f} ms alone",
        f"{stormy / idle:.1f}",
        "≤ 3",
    )


async def people(client: httpx2.AsyncClient, token: str, count: int) -> list[str]:
    """The addresses of new accounts with PASSWORD; `token` is an admin's."""
    emails = [f"bench-{new_id()}@grove.example" for _ in range(count)]
    hashed = _hasher().hash(PASSWORD)
    people = [{"email": email, "name": "Bench", "password_hash": hashed, "email_verified": True} for email in emails]
    answer = await client.post(
        "/api/v1/auth/admin/users/import", json={"users": people}, headers={"Authorization": f"Bearer {token}"}
    )
    answer.raise_for_status()
    return emails


async def _rate(kind: Any, target: Target, emails: list[str]) -> float:
    return (await sign_ins.measure(SignIns(kind, target, emails, CONNECTIONS, SECONDS))).rate


async def _me_times(target: Target, emails: list[str]) -> tuple[float, float]:
    """The p99 of /me alone and in a storm, each the median of rounds in turn."""
    idle: list[float] = []
    stormy: list[float] = []
    for _ in range(ROUNDS):
        idle.append(_p99(await sign_ins.me_times(target, emails[0], ME_TIMES, ME_PAUSE)))
        async with sign_ins.storm(SignIns("login", target, emails[1:], STORM_CONNECTIONS, STORM_SECONDS)):
            stormy.append(_p99(await sign_ins.me_times(target, emails[0], ME_TIMES, ME_PAUSE)))
        await asyncio.sleep(AFTERMATH_SECONDS)
    return statistics.median(idle), statistics.median(stormy)


async def _median(measure: Callable[[], Awaitable[float]]) -> float:
    return statistics.median([await measure() for _ in range(ROUNDS)])


async def _checks(client: httpx2.AsyncClient, suite: dict[str, Any], token: str) -> list[Row]:
    document = (await client.get("/.well-known/jwks.json")).json()

    async def fetch() -> dict[str, Any]:
        return document  # type: ignore[no-any-return]

    keys = KeyCache(fetch)

    def verifier() -> TokenVerifier:
        return TokenVerifier(keys, issuer=suite["auth_url"], audience=suite["api_url"])

    first = await _per_second(lambda: verifier().verify(token))
    known = verifier()
    again = await _per_second(lambda: known.verify(token))
    return [("token checks in a service, first sight / seen before", f"{first:.0f}/s / {again:.0f}/s", "", "", "")]


async def _per_second(check: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    for _ in range(CHECKS):
        await check()
    return CHECKS / (time.perf_counter() - began)


def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19456, parallelism=1),))


def _hash_seconds() -> float:
    hasher = _hasher()
    hashed = hasher.hash(PASSWORD)
    times = []
    for _ in range(40):
        began = time.perf_counter()
        hasher.verify(PASSWORD, hashed)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _p99(times: list[float]) -> float:
    return times[int(len(times) * 0.99)]
