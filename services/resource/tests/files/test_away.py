"""Without the object store: a clear 503 for what needs it, and for nothing else."""

import socket
import time

import pytest

from grove.core.ids import new_id
from grove_resource.files.store import FileStore

pytestmark = pytest.mark.integration


@pytest.fixture
def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def silent():
    """An address that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


async def test_a_lost_store_is_a_503_and_the_rest_works(
    client, issuer, resources, files, monkeypatch, s3_settings, nobody, stored
):
    me = issuer.headers(new_id())
    monkeypatch.setattr(resources, "files", files)
    task = (await client.post("/api/v1/tasks", json={"title": "T"}, headers=me)).headers["location"]
    url = f"{task}/attachments"
    body = {"files": {"file": ("a.txt", b"oak")}}
    attachment = (await client.post(url, headers=me, **body)).json()
    monkeypatch.setattr(resources, "files", FileStore(s3_settings(nobody)))
    for method, path, more in (("POST", url, body), ("GET", attachment["url"], {})):
        answer = await client.request(method, path, headers=me, **more)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert answer.headers["retry-after"]
    assert "does not answer" in (await resources.files.check() or "")
    assert [item["id"] for item in (await client.get(url, headers=me)).json()["items"]] == [attachment["id"]]
    assert (await client.delete(attachment["url"], headers=me)).status_code == 204  # the sweep has the object
    monkeypatch.setattr(resources, "files", files)
    assert (await client.get(attachment["url"], headers=me)).status_code == 404
    assert len(await stored()) == 1


async def test_a_store_that_hangs_is_given_up(s3_settings, silent, monkeypatch):
    monkeypatch.setattr("grove_resource.files.store.PUT_SECONDS", 1)
    files = FileStore(s3_settings(silent))

    async def chunks():
        yield b"1"

    since = time.monotonic()
    with pytest.raises(Exception, match="not available"):
        await files.put("attachments/a", chunks())
    assert time.monotonic() - since < 3
