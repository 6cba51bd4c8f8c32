"""Refreshes from several real processes, some of which are killed."""

import asyncio
import contextlib
import hashlib
import os
import sys
from pathlib import Path

import pytest
from sqlalchemy import text, update

from grove.core.clock import now
from grove_provider_sync.models import Connection, TokenAudit
from grove_provider_sync.tokens.keeper import TokenKeeper

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
PROGRAM = Path(__file__).with_name("keeping_process.py")


@pytest.fixture
async def ask(stores, sandbox):
    """Has real processes ask for tokens, all at once; what came of each, None for one that was killed."""
    environment = os.environ | stores.environment("provider-sync")
    environment |= {"SANDBOX_URL": sandbox, "PROVIDER_TOTAL_SECONDS": "5", "LOG_LEVEL": "ERROR"}
    pipe = asyncio.subprocess.PIPE
    forker = await asyncio.create_subprocess_exec(sys.executable, PROGRAM, env=environment, stdin=pipe, stdout=pipe)

    async def ask(connection: dict, *hows: str) -> list[str | None]:
        for how in hows:
            forker.stdin.write(f"{connection['id']} {how}\n".encode())
        outcomes: dict[int, str | None] = {}
        async with asyncio.timeout(60):
            while len(outcomes) < len(hows) or None in outcomes.values():
                pid, what = (await forker.stdout.readline()).decode().split()
                outcomes[int(pid)] = outcomes.get(int(pid)) if what == "started" else what
                if "dies" in hows:
                    await gone(int(pid))
                    return [None]
        return list(outcomes.values())

    yield ask
    forker.stdin.close()
    await forker.wait()
    forker._transport.close()


async def gone(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            await asyncio.sleep(0.02)


async def test_processes_that_need_tokens_at_once_make_one_call(ask, expired, held, refreshes, stored, world):
    connection = await expired()
    await world.post("/control/faults", json={"path": "/oauth/token", "delay_seconds": 1})  # all of them come meanwhile
    outcomes = await ask(connection, *["asks"] * 6)
    fresh = (await held(connection)).access_token
    assert outcomes == [hashlib.sha256(fresh.encode()).hexdigest()] * 6
    assert await refreshes() == 1
    assert [entry.action for entry in await stored(TokenAudit)].count("token_rotated") == 1


async def test_a_refused_refresh_is_one_call_however_many_need_it(ask, expired, refreshes, user, world, stored):
    connection = await expired()
    await world.post(f"/control/customers/{user.customer}/revoke")
    await world.post("/control/faults", json={"path": "/oauth/token", "delay_seconds": 1})
    assert await ask(connection, *["asks"] * 6) == ["ProviderRefused"] * 6
    assert await refreshes() == 1
    assert [each.status for each in await stored()] == ["needs_reauth"]


@pytest.mark.parametrize(
    ("rotation", "status", "calls"), [("new", "needs_reauth", 2), ("none", "active", 2), ("same", "active", 2)]
)
async def test_after_a_death_between_answer_and_commit_another_tries_when_the_turn_is_over(
    ask, expired, refreshes, rotate, stored, runner, resources, rotation, status, calls
):
    connection = await expired()
    await rotate(rotation)
    assert await ask(connection, "dies") == [None]
    assert await refreshes() == 1
    [found] = await stored()
    assert found.refreshing_until > now()
    assert await TokenKeeper(resources)._look(found.id, None) is None, "the dead one's turn still holds"
    async with resources.sessions.begin() as session:
        await session.execute(update(Connection).values(refreshing_until=now()))
    await runner.run(connection["id"])
    [found] = await stored()
    assert (found.status, await refreshes()) == (status, calls)
    async with resources.engine.connect() as connected:
        runs = await connected.execute(text("SELECT status FROM sync_runs"))
        assert runs.scalars().all() == ["failed" if status == "needs_reauth" else "completed"]
