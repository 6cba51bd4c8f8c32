"""Tasks with files, in a folder of the test's own."""

from uuid import UUID

import httpx2
import pytest

from grove.core.clock import now
from grove.core.ids import new_id
from grove_resource.files.store import FileStore
from grove_resource.models import Share


@pytest.fixture
def folder(tmp_path, resources, settings, monkeypatch):
    """Where the files of this test are."""
    path = tmp_path / "files"
    monkeypatch.setattr(resources, "files", FileStore(settings.model_copy(update={"files_url": f"file://{path}"})))
    return path


@pytest.fixture
def objects(folder):
    """What is in the folder, half-written files included: path → size."""

    def objects() -> dict[str, int]:
        return {str(file.relative_to(folder)): file.stat().st_size for file in folder.rglob("*") if file.is_file()}

    return objects


class Somebody:
    """A user of the API."""

    def __init__(self, client: httpx2.AsyncClient, issuer, user_id: UUID) -> None:
        self.client, self.id, self.headers = client, user_id, issuer.headers(user_id)

    async def call(self, method: str, url: str, **more) -> httpx2.Response:
        return await self.client.request(method, url, headers=self.headers | more.pop("headers", {}), **more)

    async def task(self) -> str:
        """The address of a new task's attachments."""
        answer = await self.call("POST", "/api/v1/tasks", json={"title": "Plant"})
        assert answer.status_code == 201, answer.text
        return f"{answer.headers['location']}/attachments"

    async def attach(self, url: str, content: bytes = b"oak", name: str = "plan.txt", **more) -> httpx2.Response:
        return await self.call("POST", url, files={"file": (name, content, "text/html")}, **more)

    async def attached(self, url: str, content: bytes = b"oak", name: str = "plan.txt") -> dict:
        answer = await self.attach(url, content, name)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
def somebody(client, issuer, folder):
    return lambda: Somebody(client, issuer, new_id())


@pytest.fixture
def ada(somebody) -> Somebody:
    return somebody()


@pytest.fixture
def bob(somebody) -> Somebody:
    return somebody()


@pytest.fixture
def share(resources):
    """Share the task of an address of attachments."""

    async def share(url: str, user_id: UUID, role: str) -> None:
        row = Share(
            id=new_id(),
            task_id=UUID(url.split("/")[4]),
            email=f"{user_id}@grove.example",
            user_id=user_id,
            role=role,
            version=1,
            created_at=now(),
            updated_at=now(),
        )
        async with resources.sessions.begin() as session:
            session.add(row)

    return share
