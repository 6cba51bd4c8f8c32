"""Photos while something dies or is away."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from grove.contracts.auth import UserDeleted
from grove.core.clock import now
from grove.core.secrets import Secrets
from grove_resource.files.store import FileStore
from grove_resource.models import Profile

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
PROCESS = Path(__file__).with_name("upload_process.py")


@pytest.fixture
def uploading(ada, stores, tmp_path, blue):
    """Another api process that uploads a photo for ada."""
    started = []

    def begin() -> "subprocess.Popen[bytes]":
        (tmp_path / "blue.png").write_bytes(blue)
        words = [sys.executable, str(PROCESS), str(ada.id), str(tmp_path / "blue.png"), str(stores.layout.root)]
        started.append(subprocess.Popen(words))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def lose_store(resources, settings, tmp_path, monkeypatch):
    """From now on nothing answers where the object store was."""

    def lose() -> None:
        for name in ("files_s3_access_key", "files_s3_secret_key"):
            (tmp_path / name).write_text("unused")
        gone = {
            "files_url": "s3://nowhere/files",
            "files_s3_endpoint": "http://127.0.0.1:1",
            "secrets": Secrets(tmp_path),
        }
        monkeypatch.setattr(resources, "files", FileStore(settings.model_copy(update=gone)))

    return lose


async def test_a_process_killed_before_its_commit_leaves_the_old_photo(
    ada, red, uploading, resources, stored, eventually
):
    before = (await ada.upload(red)).json()
    files = await stored()
    shown = (await ada.call("GET", "/profile/photo")).content

    async def all_stored() -> bool:
        return len(await stored()) == 6

    async with resources.sessions.begin() as session:
        await session.scalar(select(Profile).where(Profile.user_id == ada.id).with_for_update())
        process = uploading()
        await eventually(all_stored, 30)  # and it waits for the row
        process.kill()
        assert process.wait(10) == -9
    assert await ada.profile() == before
    assert (await ada.call("GET", "/profile/photo")).content == shown
    assert files < await stored()
    after = await ada.upload(red)
    assert after.status_code == 200
    assert (await stored()).isdisjoint(files)


async def test_a_lost_store_takes_photos_only(ada, red, lose_store):
    lose_store()
    answer = await ada.upload(red)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "retry-after" in answer.headers
    assert (await ada.profile())["photo_urls"] is None
    assert (await ada.replace(name="Ada")).status_code == 200


async def test_a_store_that_is_too_slow_is_a_503_and_nothing_changes(ada, red, blue, resources, stored, monkeypatch):
    before = (await ada.upload(red)).json()
    shown = await stored()
    put = resources.files.put

    async def stuck(path: str, chunks) -> None:
        await put(path, chunks)
        await asyncio.Event().wait()

    monkeypatch.setattr(resources.files, "put", stuck)
    monkeypatch.setattr("grove_resource.profiles.photos.STORE_SECONDS", 0.05)
    answer = await ada.upload(blue)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "retry-after" in answer.headers
    assert await ada.profile() == before
    assert await stored() == shown


async def test_a_lost_store_is_told_to_who_looks_and_a_photo_can_go(ada, bob, red, lose_store):
    before = (await ada.upload(red)).json()
    lose_store()
    for path in ("/profile/photo", f"/profiles/{ada.id}/photo"):
        answer = await ada.call("GET", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert await ada.profile() == before
    assert (await bob.call("GET", f"/profiles/{ada.id}")).json()["photo_urls"] == before["photo_urls"]
    assert (await ada.call("DELETE", "/profile/photo")).status_code == 204
    assert (await ada.profile())["photo_urls"] is None


async def test_a_photo_whose_files_are_gone_is_not_there(ada, red, resources):
    await ada.upload(red)
    shutil.rmtree(resources.files.folder / "photos")
    answer = await ada.call("GET", "/profile/photo")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")
    assert (await ada.upload(red)).status_code == 200


async def test_an_erased_users_photo_is_gone_at_once_and_others_stay(ada, bob, red, happen, stored, resources):
    await ada.upload(red)
    await bob.upload(red)
    await ada.profile()
    await happen(UserDeleted(user_id=ada.id, deleted_at=now()), 4)
    assert len(await stored()) == 3
    assert (await bob.call("GET", "/profile/photo")).status_code == 200
    assert (await ada.call("GET")).status_code == 404


async def test_an_upload_under_way_brings_nothing_back(ada, red, happen, stored, resources, eventually):
    async def decoding() -> bool:
        return resources.renderer._taken == 1

    await ada.profile()
    uploading = asyncio.create_task(ada.upload(red))
    await eventually(decoding)
    await happen(UserDeleted(user_id=ada.id, deleted_at=now()), 4)
    assert (await uploading).status_code == 404
    assert await stored() == set()


async def test_a_store_that_is_away_does_not_keep_the_data(ada, red, happen, resources, lose_store):
    await ada.upload(red)
    lose_store()
    await happen(UserDeleted(user_id=ada.id, deleted_at=now()), 4)
    async with resources.sessions() as session:
        assert await session.scalar(select(Profile.user_id)) is None
