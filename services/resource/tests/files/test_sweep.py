"""The sweep removes what nothing refers to, and nothing else; in a folder and in S3."""

import asyncio
import os
import time
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete

from grove.core.clock import now
from grove.core.ids import new_id
from grove_resource.files.store import FileStore
from grove_resource.files.sweep import Sweep
from grove_resource.models import Attachment, Profile, Task

pytestmark = pytest.mark.integration
AT_ONCE = timedelta(seconds=-5)


async def one_byte():
    yield b"1"


@pytest.fixture
def sweep(files, resources):
    def sweep(grace: timedelta = AT_ONCE) -> Sweep:
        return Sweep(files, resources.reads, grace=grace, every_seconds=3600)

    return sweep


@pytest.fixture
def named(files, resources):
    """An attachment and a photo that rows name; their paths."""

    async def named() -> set[str]:
        task_id, user_id, file_key, photo_key, moment = new_id(), new_id(), new_id(), new_id(), now()
        times = {"created_at": moment, "updated_at": moment}
        async with resources.sessions.begin() as session:
            session.add(Task(id=task_id, user_id=user_id, title="T", **times))
            session.add(
                Profile(
                    user_id=user_id, name="A", name_key=str(user_id), provisional=False, photo_key=photo_key, **times
                )
            )
            await session.flush()
            session.add(attachment(task_id, user_id, file_key))
        paths = {f"attachments/{file_key}", f"photos/{photo_key}/64.webp", f"photos/{photo_key}/512.webp"}
        for path in paths:
            await files.put(path, one_byte())
        return paths

    return named


def attachment(task_id: UUID, user_id: UUID, file_key: UUID) -> Attachment:
    return Attachment(
        id=new_id(),
        task_id=task_id,
        user_id=user_id,
        file_key=file_key,
        name="a",
        content_type="text/plain",
        size=1,
        sha256=b"1",
        state="available",
        created_at=now(),
    )


async def test_only_what_no_row_names_is_removed(sweep, named, files, stored):
    kept = await named()
    for path in (f"attachments/{new_id()}", f"photos/{new_id()}/64.webp", f"photos/{new_id()}/512.webp"):
        await files.put(path, one_byte())
    await files.put("attachments/no-key-at-all", one_byte())
    await files.put(f"photos/{next(iter(kept)).split('/')[1]}x/64.webp", one_byte())
    assert await sweep().clean() == 5
    assert set(await stored()) == kept
    assert await sweep().clean() == 0


async def test_what_is_young_stays_for_its_upload_may_not_be_committed(sweep, files, stored):
    path = f"attachments/{new_id()}"
    await files.put(path, one_byte())
    assert await sweep(timedelta(minutes=5)).clean() == 0
    assert set(await stored()) == {path}


async def test_rows_that_went_by_cascade_leave_objects_for_the_sweep(sweep, named, resources, stored):
    kept, gone = await named(), await named()
    file_key = next(UUID(path.split("/")[1]) for path in gone if path.startswith("attachments/"))
    async with resources.sessions.begin() as session:
        task = delete(Task).where(
            Task.id.in_(
                Attachment.__table__.select()
                .with_only_columns(Attachment.task_id)
                .where(Attachment.file_key == file_key)
            )
        )
        await session.execute(task)
    assert await sweep().clean() == 1
    assert set(await stored()) == (kept | gone) - {f"attachments/{file_key}"}


async def test_more_than_a_batch_by_several_workers_at_once(sweep, named, files, stored, monkeypatch):
    monkeypatch.setattr("grove_resource.files.sweep._BATCH", 3)
    kept = await named()
    for _ in range(8):
        await files.put(f"attachments/{new_id()}", one_byte())
    await asyncio.gather(*(sweep().clean() for _ in range(3)))
    assert set(await stored()) == kept


async def test_half_written_files_go_once_they_are_old(tmp_path, settings, resources):
    folder = tmp_path / "files"
    files = FileStore(settings.model_copy(update={"files_url": f"file://{folder}"}))
    (folder / "attachments").mkdir(parents=True)
    old, young = (folder / "attachments" / f"{new_id()}#{number}" for number in (1, 12))
    for path in (old, young):
        path.write_bytes(b"half")
    hour_ago = time.time() - 3600
    os.utime(old, (hour_ago, hour_ago))
    assert await Sweep(files, resources.reads, grace=timedelta(minutes=5), every_seconds=1).clean() == 1
    assert list((folder / "attachments").iterdir()) == [young]


async def test_it_goes_on_after_a_lost_store(sweep, files, stored, monkeypatch, resources):
    path = f"attachments/{new_id()}"
    await files.put(path, one_byte())
    job = sweep()
    job._every_seconds = 0.01
    real, calls = job._reads.all, 0

    async def lost_at_first(statement, **values):
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ConnectionRefusedError("the database is away")
        return await real(statement, **values)

    monkeypatch.setattr(resources.reads, "all", lost_at_first)
    running = asyncio.create_task(job.run())
    try:
        async with asyncio.timeout(10):
            while await stored():
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
