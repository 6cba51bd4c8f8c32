"""What is said of a store that can't be used, and that its keys may change."""

import asyncio
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from grove_resource.files.store import FileStore, FileStoreAway

pytestmark = pytest.mark.integration


async def chunks():
    yield b"1"


@pytest.fixture
def in_folder(settings):
    return lambda folder: FileStore(settings.model_copy(update={"files_url": f"file://{folder}"}))


@pytest.fixture
def asked():
    """An S3 where nothing is: its address, and the key that each request was signed with."""
    keys: list[str] = []

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["Authorization"].split("Credential=")[1].split("/")[0])
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", keys
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_folder_that_goes_is_told(in_folder, tmp_path):
    files = in_folder(tmp_path / "files")
    await files.put("attachments/a", chunks())
    assert await files.check() is None
    (tmp_path / "files").rename(tmp_path / "elsewhere")
    assert "is not there" in (await files.check() or "")


async def test_a_folder_that_can_not_be_written_is_told(in_folder, tmp_path, monkeypatch):
    files = in_folder(tmp_path / "files")
    assert await files.check() is None
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and allowed(path, mode))  # root may all
    assert "can't be written" in (await files.check() or "")


async def test_without_a_folder_the_process_starts_and_goes_on_when_it_is_there(in_folder, tmp_path):
    (tmp_path / "disk").write_text("no folder")
    files = in_folder(tmp_path / "disk" / "files")
    assert "can't be made" in (await files.check() or "")
    with pytest.raises(FileStoreAway):
        await files.put("attachments/a", chunks())
    with pytest.raises(FileStoreAway):
        await anext(files.get("attachments/a", start=0, end=1))
    with pytest.raises(FileStoreAway):
        await files.delete(["attachments/a"])
    with pytest.raises(FileStoreAway):
        await anext(files.all("attachments"))
    (tmp_path / "disk").unlink()
    await files.put("attachments/a", chunks())
    assert await files.check() is None


async def test_a_bucket_that_is_not_there_is_told(s3, s3_settings):
    assert "does not answer" in (await FileStore(s3_settings(s3, "nobody-made-it")).check() or "")


async def test_new_keys_are_taken_without_a_restart(asked, s3_settings, monkeypatch):
    monkeypatch.setattr("grove_resource.files.store._KEYS_SECONDS", 0)
    address, keys = asked
    settings = s3_settings(address)
    files = FileStore(settings)
    for key in ("first", "second"):
        secret = settings.secrets_dir / "files_s3_access_key"
        await asyncio.to_thread(secret.write_text, key)
        with pytest.raises(FileNotFoundError):
            await files.read("photos/a/64.webp")
    assert keys == ["first", "second"]
