"""Tasks of one user."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from grove.contracts.event import Envelope
from grove.core.ids import new_id

TASKS = "/api/v1/tasks"


@pytest.fixture
def me(issuer):
    return issuer.headers(new_id())


@pytest.fixture
def call(client, me):
    async def call(method: str, path: str = "", body=None, status: int = 200):
        answer = await client.request(method, f"{TASKS}{path}", json=body, headers=me)
        assert answer.status_code == status, answer.text
        return answer

    return call


@pytest.fixture
def plant(call):
    """Makes a task; its id."""

    async def plant(parent: str | None = None, **fields) -> str:
        return (await call("POST", "", {"title": "T", "parent_id": parent, **fields}, 201)).json()["id"]

    return plant


@pytest.fixture
def held_up(resources, until_waiting, client, me):
    """Lets requests of the user begin one after the other while a table is locked: each waits for what it lacks.

    Behind it they go on; their statuses.
    """

    @asynccontextmanager
    async def held_up(table: str, *requests: tuple):
        statuses: list[int] = []
        async with resources.engine.connect() as other:
            blocked = await other.begin()
            await other.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
            running = []
            for method, path, body in requests:
                request = client.request(method, f"{TASKS}{path}", json=body, headers=me)
                running.append(asyncio.create_task(request))
                await until_waiting(len(running))
            yield statuses
            await blocked.rollback()
        statuses += [(await each).status_code for each in running]

    return held_up


@pytest.fixture
def facts(resources):
    """The events of a kind that wait to be published."""

    async def facts(kind: str) -> list[Envelope]:
        query = text("SELECT body FROM outbox WHERE type = :type ORDER BY position")
        async with resources.engine.connect() as connection:
            bodies = (await connection.execute(query, {"type": f"resource.task.{kind}.v1"})).scalars()
            return [Envelope.model_validate_json(bytes(body)) for body in bodies]

    return facts
