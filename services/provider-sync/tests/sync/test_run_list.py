"""The list of a connection's runs."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter
from sqlalchemy import select, text

from grove_provider_sync.models import Connection, SyncRun
from grove_provider_sync.sync.schemas import SyncRunRead

pytestmark = pytest.mark.integration
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def connection(user, held):
    return await held(Connection, user_id=user.id)


@pytest.fixture
def ran(user, held, connection):
    async def ran(minute: int, status: str, **fields):
        about = {"status": status, "created_at": START + timedelta(minutes=minute)}
        return await held(SyncRun, user_id=user.id, connection_id=connection, **about | fields)

    return ran


async def test_runs_are_listed_by_status_newest_first(user, connection, ran):
    for minute, status in enumerate(("completed", "failed", "completed", "running")):
        await ran(minute, status)
    path = f"/connections/{connection}/sync-runs"
    assert [run["status"] for run in (await user.call("GET", path)).json()["items"]] == [
        "running", "completed", "failed", "completed",
    ]  # fmt: skip
    completed = (await user.call("GET", path, params={"status": "completed", "size": 1})).json()
    assert (completed["total"], completed["items"][0]["created_at"]) == (2, "2026-05-01T12:02:00Z")
    first = (await user.call("GET", path, params={"status": "completed", "size": 1, "cursor": ""})).json()
    rest = await user.call("GET", path, params={"status": "completed", "cursor": first["next_cursor"]})
    assert [run["created_at"] for run in rest.json()["items"]] == ["2026-05-01T12:00:00Z"]
    assert (await user.call("GET", path, params={"status": "queued"})).json()["items"] == []
    assert (await user.call("GET", path, params={"status": "ended"})).status_code == 422
    assert (await user.call("GET", path, params={"sort": "started_at"})).status_code == 422


async def test_a_run_says_what_it_did_how_long_it_took_and_why_it_failed(user, connection, ran, resources):
    made = await ran(
        0,
        "failed",
        started_at=START + timedelta(seconds=2),
        finished_at=START + timedelta(seconds=7.5),
        added=3,
        pages=2,
        restarts=1,
        error='It said "no".',
        error_code="unavailable",
    )
    answer = await user.call("GET", f"/connections/{connection}/sync-runs")
    async with resources.sessions() as session:
        row = await session.scalar(select(SyncRun).where(SyncRun.id == made))
    written = TypeAdapter(SyncRunRead).dump_json(SyncRunRead.model_validate(row))
    assert answer.content.startswith(b'{"items":[' + written + b"],")
    [run] = answer.json()["items"]
    assert (run["pages"], run["restarts"], run["error_code"]) == (2, 1, "unavailable")
    assert (run["started_at"], run["finished_at"]) == ("2026-05-01T12:00:02Z", "2026-05-01T12:00:07.500000Z")


async def test_those_of_a_connection_that_is_being_erased_or_anothers_are_not_there(
    user, stranger, connection, ran, resources
):
    await ran(0, "completed")
    path = f"/connections/{connection}/sync-runs"
    assert (await user.call("GET", path)).json()["total"] == 1
    assert (await stranger.call("GET", path)).status_code == 404
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE connections SET erasing = true"))
    assert (await user.call("GET", path)).status_code == 404
