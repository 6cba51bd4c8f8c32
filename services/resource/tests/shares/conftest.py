"""People, and what auth tells of them."""

import json
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import text

from grove.contracts.auth import UserDeleted, UserEmailChanged, UserRegistered
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.event import outbox_event
from grove_resource.consumers import handlers

TASKS = "/api/v1/tasks"


@dataclass
class Person:
    id: UUID
    email: str
    headers: dict[str, str]


@pytest.fixture
def happen(resources):
    """Have a fact of auth arrive, once."""

    async def happen(data, *, sequence: int = 1) -> None:
        work = handlers(resources).parse(outbox_event("auth", data, sequence=sequence).body)
        assert await resources.inbox.apply([work]) == [work]

    return happen


@pytest.fixture
def auth(happen):
    """auth's facts about a person."""

    class Auth:
        async def registered(self, person: Person, email: str | None = None, *, sequence: int = 1) -> None:
            await happen(
                UserRegistered(
                    user_id=person.id,
                    email=email or person.email,
                    name="Ada",
                    locale="en",
                    timezone="UTC",
                    roles=["user"],
                    registered_at=now(),
                ),
                sequence=sequence,
            )

        async def moved(self, person: Person, email: str, *, sequence: int) -> None:
            fact = UserEmailChanged(user_id=person.id, email=email, how="changed", changed_at=now())
            await happen(fact, sequence=sequence)

        async def deleted(self, person: Person, *, sequence: int = 9) -> None:
            await happen(UserDeleted(user_id=person.id, deleted_at=now()), sequence=sequence)

    return Auth()


@pytest.fixture
def stranger(issuer):
    """Somebody whom no event told of."""

    def stranger(email: str | None = None) -> Person:
        user_id = new_id()
        return Person(user_id, email or f"{user_id.hex[-12:]}@example.com", issuer.headers(user_id))

    return stranger


@pytest.fixture
async def ada(stranger, auth):
    ada = stranger()
    await auth.registered(ada)
    return ada


@pytest.fixture
async def bob(stranger, auth):
    bob = stranger()
    await auth.registered(bob)
    return bob


@pytest.fixture
def make(client):
    async def make(owner: Person, title: str = "Plant", **fields) -> dict:
        answer = await client.post(TASKS, json={"title": title, **fields}, headers=owner.headers)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture
def share(client):
    """Share a task; what the answer was like."""

    async def share(owner: Person, task: dict, email: str, role: str = "viewer"):
        url = f"{TASKS}/{task['id']}/shares"
        answer = await client.post(url, json={"email": email, "role": role}, headers=owner.headers)
        assert (answer.status_code, answer.content) == (202, b""), answer.text
        return {name: value for name, value in answer.headers.items() if name not in {"ratelimit", "x-request-id"}}

    return share


@pytest.fixture
def shares_of(client):
    async def shares_of(owner: Person, task: dict) -> list[dict]:
        answer = await client.get(f"{TASKS}/{task['id']}/shares?sort=created_at", headers=owner.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    return shares_of


@pytest.fixture
def told(resources):
    """Events that wait to be published: those of shares, unless another kind is asked for."""

    async def told(*kinds: str) -> list[dict]:
        async with resources.engine.connect() as connection:
            rows = await connection.execute(text("SELECT body FROM outbox ORDER BY position"))
            events = [json.loads(row.body) for row in rows]
        wanted = kinds or ("shared", "unshared")
        return [event for event in events if event["type"].split(".")[2] in wanted]

    return told


@pytest.fixture
def sees(client):
    """Whether a person gets the task, in a list and by its id."""

    async def sees(person: Person, task: dict) -> bool:
        listed = await client.get(f"{TASKS}?shared=with_me", headers=person.headers)
        status = (await client.get(f"{TASKS}/{task['id']}", headers=person.headers)).status_code
        found = task["id"] in [item["id"] for item in listed.json()["items"]]
        assert status == (200 if found else 403)
        return found

    return sees
