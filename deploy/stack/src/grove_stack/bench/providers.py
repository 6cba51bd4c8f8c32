"""Transactions that one worker of provider-sync synchronises in a second, beside a bare client that only reads the
sandbox's pages; and what a run takes that finds nothing new.
"""

import asyncio
import base64
import hashlib
import ssl
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlparse

import httpx2

from grove.core.ids import new_id
from grove_stack.bench import somebody
from grove_stack.bench.accounts import Row
from grove_stack.loopback import LoopbackTransport
from grove_stack.plan import Plan

AT_ONCE = 4
"""As many connections as a worker runs at once by default, each of another user: one user has one slot."""
BOOKINGS = 6000
PAGE_SIZE = 100
ROUNDS = 3
QUIET_RUNS = 20
PATIENCE_SECONDS = 300
CALLBACK = "https://bench.example/callback"
_CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).decode().rstrip("=")  # of an empty verifier


async def rows(plan: Plan, suite: dict[str, Any]) -> AsyncIterator[Row]:
    """First runs of several connections at once, in turns with the same pages read by a bare client."""
    context = ssl.create_default_context(cafile=suite["ca_file"])
    async with httpx2.AsyncClient(transport=LoopbackTransport(verify=context), timeout=60) as client:
        bench = _Bench(plan, suite, client)
        users = [await somebody.headers(plan, suite, context) for _ in range(AT_ONCE)]
        await bench.control("PUT", "/bank", json={"page_size": PAGE_SIZE})
        rounds = [await bench.compared(users) for _ in range(ROUNDS)]
        ours, bare = (statistics.median(rates) for rates in zip(*rounds, strict=True))
        ratio = statistics.median(mine / other for mine, other in rounds)
        what = f"transactions synchronised by one worker, {AT_ONCE} connections at once"
        yield what, f"{ours:.0f}/s", f"{bare:.0f}/s read only", f"{ratio:.2f}", "≥ 0.5"
        quiet = await bench.quiet(users[0])
        yield "a run that finds nothing new: two calls", f"{quiet * 1000:.0f} ms", "", "", ""


@dataclass(frozen=True, slots=True)
class _Bench:
    plan: Plan
    suite: dict[str, Any]
    client: httpx2.AsyncClient

    async def control(self, method: str, path: str, **kwargs: Any) -> None:
        answer = await self.client.request(method, f"{self.plan.sandbox_url}/control{path}", **kwargs)
        answer.raise_for_status()

    async def compared(self, users: list[dict[str, str]]) -> tuple[float, float]:
        """Transactions a second: synchronised, and only read."""
        customers = [f"bench-{new_id()}" for _ in users]
        for customer in customers:
            await self.control("POST", f"/customers/{customer}/history", params={"bookings": BOOKINGS})
        tokens = [await self._token(customer) for customer in customers]
        began = time.perf_counter()
        read = sum(await asyncio.gather(*(self._read(token) for token in tokens)))
        bare = read / (time.perf_counter() - began)
        connections = [await self._connect(user, customer) for user, customer in zip(users, customers, strict=True)]
        runs = [await self._first_run(user, connection) for user, connection in zip(users, connections, strict=True)]
        took = max(_time(run["finished_at"]) for run in runs) - min(_time(run["started_at"]) for run in runs)
        for user, connection in zip(users, connections, strict=True):
            await self._call("DELETE", f"/connections/{connection}", user)
        return read / took.total_seconds(), bare

    async def quiet(self, user: dict[str, str]) -> float:
        """Seconds that a run without news takes."""
        connection = await self._connect(user, f"bench-{new_id()}")
        times = []
        await self._first_run(user, connection)
        for number in range(QUIET_RUNS):
            await self._call("POST", f"/connections/{connection}/sync", user)
            run = await self._run(user, connection, number + 2)
            times.append((_time(run["finished_at"]) - _time(run["started_at"])).total_seconds())
        return statistics.median(times)

    async def _connect(self, user: dict[str, str], customer: str) -> str:
        started = (await self._call("POST", "/connections", user, json={"provider": "sandbox"})).json()
        back = await self._consent(started["authorization_url"], customer)
        await self._call("GET", "/connections/callback", user, params=back)
        return str(started["id"])

    async def _first_run(self, user: dict[str, str], connection: str) -> dict[str, Any]:
        return await self._run(user, connection, 1)

    async def _run(self, user: dict[str, str], connection: str, number: int) -> dict[str, Any]:
        """The newest run, once there are so many and it is over."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = (await self._call("GET", f"/connections/{connection}/sync-runs", user)).json()
                run: dict[str, Any] = found["items"][0]
                if found["total"] >= number and run["status"] == "completed":
                    return run
                await asyncio.sleep(0.2)

    async def _consent(self, authorization_url: str, customer: str) -> dict[str, str]:
        url = urlparse(authorization_url)
        form = {name: values[0] for name, values in parse_qs(url.query).items()}
        page = f"{url.scheme}://{url.netloc}{url.path}"
        answer = await self.client.post(page, data=form | {"decision": "allow", "customer": customer})
        return {name: values[0] for name, values in parse_qs(urlparse(answer.headers["location"]).query).items()}

    async def _token(self, customer: str) -> str:
        """An access token of our own, as a client of the sandbox."""
        secret = self.plan.layout.secret("provider-sync", "sandbox_client_secret")
        asked = {
            "client_id": "grove",
            "redirect_uri": CALLBACK,
            "state": "x",
            "code_challenge": _CHALLENGE,
            "code_challenge_method": "S256",
            "response_type": "code",
            "scope": "accounts transactions",
        }
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        code = (await self._consent(f"{self.plan.sandbox_url}/oauth/authorize?{query}", customer))["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": ""}
        answer = await self.client.post(f"{self.plan.sandbox_url}/oauth/token", data=form, auth=("grove", secret))
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    async def _read(self, token: str) -> int:
        """How many transactions the pages hold."""
        count, cursor, headers = 0, "", {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            while True:
                query = {"cursor": cursor} if cursor else {}
                url = f"{self.plan.sandbox_url}/api/transactions"
                page = (await client.get(url, params=query, headers=headers)).json()
                count += len(page["added"]) + len(page["modified"]) + len(page["removed"])
                if not page["has_more"]:
                    return count
                cursor = page["next_cursor"]

    async def _call(self, method: str, path: str, user: dict[str, str], **kwargs: Any) -> httpx2.Response:
        answer = await self.client.request(method, f"{self.suite['api_url']}/api/v1{path}", headers=user, **kwargs)
        answer.raise_for_status()
        return answer


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
