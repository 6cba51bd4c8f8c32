"""Tasks of an owner, an editor and a viewer, and their reminders."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from grove.contracts.event import Envelope
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.postgres import OutboxRow
from grove_resource.models import Share
from grove_resource.reminders.firing import Firing

TASKS = "/api/v1/tasks"


@dataclass
class Actor:
    """Somebody who calls the api."""

    client: Any
    headers: dict[str, str]
    id: UUID = field(default_factory=new_id)

    async def call(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        answer = await self.client.request(method, f"{TASKS}{path}", json=body, headers=self.headers | headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def make(self, title: str = "Plant", **fields: Any) -> str:
        return (await self.call("POST", "", {"title": title, **fields}, 201))["id"]

    async def remind(self, task: str, **body: Any) -> dict[str, Any]:
        return await self.call("POST", f"/{task}/reminders", body, 201)

    async def reminders(self, task: str) -> list[dict[str, Any]]:
        return (await self.call("GET", f"/{task}/reminders?sort=created_at&size=100"))["items"]


@pytest.fixture
def actor(client, issuer):
    def actor() -> Actor:
        user = new_id()
        return Actor(client, issuer.headers(user), user)

    return actor


@pytest.fixture
def ada(actor):
    return actor()


@pytest.fixture
def bob(actor):
    return actor()


@pytest.fixture
def share(resources):
    async def share(task: str, who: Actor, role: str = "viewer") -> None:
        moment = now()
        row = Share(
            id=new_id(),
            task_id=UUID(task),
            email=f"{who.id}@grove.example",
            user_id=who.id,
            role=role,
            created_at=moment,
            updated_at=moment,
        )
        async with resources.sessions.begin() as session:
            session.add(row)

    return share


@pytest.fixture
def run_sql(resources):
    async def run_sql(statement: str, **values: Any) -> Any:
        async with resources.engine.begin() as connection:
            return await connection.execute(text(statement), values)

    return run_sql


@pytest.fixture
def facts(resources):
    """The events of a kind that wait to be published."""

    async def facts(kind: str) -> list[Envelope]:
        async with resources.sessions() as session:
            rows = await session.scalars(
                select(OutboxRow.body).where(OutboxRow.type == f"resource.task.{kind}.v1").order_by(OutboxRow.position)
            )
            return [Envelope.model_validate_json(bytes(body)) for body in rows]

    return facts


@pytest.fixture
def firing(resources):
    return Firing(resources.sessions, resources.reads, look_seconds=1)
