"""People with profiles, and what they upload."""

import asyncio
import io

import pytest
from PIL import Image
from sqlalchemy import text

from grove.contracts.auth import UserRegistered
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.event import outbox_event
from grove_resource.consumers import handlers
from grove_resource.profiles.photos import path


class Person:
    """Somebody signed in."""

    def __init__(self, client, issuer, user_id) -> None:
        self.client, self.id = client, user_id
        self.headers = issuer.headers(user_id)

    async def call(self, method: str, path: str = "/profile", **kwargs):
        headers = self.headers | kwargs.pop("headers", {})
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **kwargs)

    async def profile(self) -> dict:
        answer = await self.call("GET")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def replace(self, **body):
        return await self.call("PUT", json=body)

    async def upload(self, content: bytes, name: str = "a.png", content_type: str = "image/png", **kwargs):
        return await self.call("POST", "/profile/upload-photo", files={"file": (name, content, content_type)}, **kwargs)


@pytest.fixture
def person(client, issuer):
    return lambda: Person(client, issuer, new_id())


@pytest.fixture
def ada(person):
    return person()


@pytest.fixture
def bob(person):
    return person()


@pytest.fixture
def happen(resources):
    """auth tells something."""

    async def happen(data, sequence: int = 1) -> None:
        work = handlers(resources).parse(outbox_event("auth", data, sequence=sequence).body)
        assert await resources.inbox.apply([work]) == [work]
        await work.committed()

    return happen


@pytest.fixture
def register(happen):
    async def register(who, name: str) -> None:
        await happen(
            UserRegistered(
                user_id=getattr(who, "id", who),
                email="a@example.com",
                name=name,
                locale="en",
                timezone="UTC",
                roles=["user"],
                registered_at=now(),
            )
        )

    return register


@pytest.fixture
def told(resources):
    """(changed fields, sequence) of each profile event, in order."""

    async def told() -> list[tuple[list[str], int]]:
        query = "SELECT convert_from(body, 'UTF8')::jsonb AS e FROM outbox WHERE type = :type ORDER BY position"
        async with resources.engine.connect() as connection:
            rows = await connection.execute(text(query), {"type": "resource.profile.updated.v1"})
            return [(row.e["data"]["changed"], row.e["sequence"]) for row in rows]

    return told


@pytest.fixture
def stored(resources):
    """Paths of all photos' files."""

    async def stored() -> set[str]:
        return {file.path async for file in resources.files.all("photos/")}

    return stored


@pytest.fixture(autouse=True)
async def no_files(request):
    if "resources" in request.fixturenames:
        files = request.getfixturevalue("resources").files
        await files.delete([file.path async for file in files.all("photos/")])


@pytest.fixture
def red() -> bytes:
    """A small picture."""
    written = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 20, 20)).save(written, "PNG")
    return written.getvalue()


@pytest.fixture
def blue() -> bytes:
    """Another one."""
    written = io.BytesIO()
    Image.new("RGB", (40, 30), (20, 20, 200)).save(written, "PNG")
    return written.getvalue()


@pytest.fixture
def files_of():
    """The paths of the photo with a key."""
    return lambda key: {path(key, size) for size in (64, 256, 512)}


@pytest.fixture
def eventually():
    async def eventually(condition, seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.02)

    return eventually
