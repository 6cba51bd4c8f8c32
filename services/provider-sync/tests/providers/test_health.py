"""How a provider is doing: by the runs of the last quarter hour, and by the pauses it asked for."""

from datetime import timedelta

import pytest

from grove.core.clock import now
from grove_provider_sync.models import Connection, SyncRun

pytestmark = pytest.mark.integration


@pytest.fixture
async def ended(user, held):
    connection = await held(Connection, user_id=user.id, provider="sandbox")

    async def ended(status: str, error_code: str | None = None, *, minutes_ago: float = 1) -> None:
        moment = now() - timedelta(minutes=minutes_ago)
        about = {"status": status, "error_code": error_code, "finished_at": moment}
        await held(SyncRun, user_id=user.id, connection_id=connection, **about)

    return ended


async def health(user) -> str:
    [found] = (await user.call("GET", "/providers")).json()["items"]
    return found["health"]


async def test_it_is_failing_when_most_runs_of_late_failed(user, ended):
    assert await health(user) == "ok"
    await ended("failed", "timeout", minutes_ago=16)
    assert await health(user) == "ok"
    await ended("failed", "timeout", minutes_ago=14)
    assert await health(user) == "failing"
    await ended("completed")
    assert await health(user) == "ok"
    await ended("failed", "unavailable")
    assert await health(user) == "failing"


@pytest.mark.parametrize(
    "code", ["refused", "withdrawn", "consent_ended", "revoked_by_operator", "unreadable", "revoked"]
)
async def test_what_one_user_did_says_nothing_of_the_provider(user, ended, code):
    await ended("failed", code)
    assert await health(user) == "ok"
    await ended("failed", "fault")
    assert await health(user) == "failing"


async def test_it_is_paused_while_it_wants_no_calls_from_anybody(user, resources, calm):
    provider = resources.providers.get("sandbox").description
    await resources.providers._turns.pause(provider, 60, whole=True)
    assert await health(user) == "paused"
    await calm()
    assert await health(user) == "ok"
