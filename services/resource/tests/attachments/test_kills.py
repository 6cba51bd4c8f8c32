"""Processes killed with SIGKILL: after one sweep the folder holds what rows name, and nothing else."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from grove_resource.files.sweep import Sweep
from grove_resource.models import Attachment

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
PROGRAM = Path(__file__).with_name("program.py")
NINE_MIB = 9 * 1024 * 1024


class Program:
    """program.py, which forks a process for each thing to do."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._in, self._out = process, process.stdin, process.stdout

    async def begin(self, folder: Path, user_id: UUID, *what: Any) -> int:
        """The pid of the process that does it."""
        self._in.write((json.dumps([str(folder), str(user_id), *what]) + "\n").encode())
        return int((await self.heard())["pid"])

    async def end(self) -> tuple[int, Any]:
        """The signal that killed it, or 0; and what it had to say, or None."""
        said = None
        while "killed" not in (fact := await self.heard()):
            said = fact["say"]
        return fact["killed"], said

    async def heard(self) -> dict[str, Any]:
        return dict(json.loads(await self._out.readline()))


@pytest.fixture(scope="module")
async def program(stores, settings) -> AsyncIterator[Program]:
    own = {"PUBLIC_AUTH_URL": settings.public_auth_url, "PUBLIC_API_URL": settings.public_api_url}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        env={**os.environ, **stores.environment("resource"), **own},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    program = Program(process)
    await program.heard()
    yield program
    program._in.close()  # the end of its input is its own
    await process.wait()


@pytest.fixture
def do(program, folder):
    """Have a process do something; how it ended."""

    async def do(user_id: UUID, *what: Any) -> tuple[int, Any]:
        await program.begin(folder, user_id, *what)
        return await program.end()

    return do


@pytest.fixture
def sweep(resources):
    async def sweep() -> int:
        grace = timedelta(seconds=-1)
        return await Sweep(resources.files, resources.reads, grace=grace, every_seconds=1).clean()

    return sweep


@pytest.fixture
def named(resources):
    """What the rows say there is: path → size."""

    async def named() -> dict[str, int]:
        async with resources.sessions() as session:
            rows = (await session.execute(select(Attachment.file_key, Attachment.size))).all()
        return {f"attachments/{row.file_key}": row.size for row in rows}

    return named


@pytest.mark.parametrize(
    ("point", "rows"),
    [
        ("in_the_objects_write", 0),
        ("before_the_name_is_on_the_disk", 0),
        ("before_the_commit", 0),
        ("after_the_commit", 1),
        ("nowhere", 1),
    ],
)
async def test_an_upload_killed_anywhere(ada, do, objects, named, sweep, point, rows):
    url = await ada.task()
    other = await ada.attached(url)
    ended = await do(ada.id, "killed", point, "POST", url)
    assert ended == ((0, 201) if point == "nowhere" else (signal.SIGKILL, None))
    assert (len(objects()), len(await named())) == (2, 1 + rows)
    if point == "in_the_objects_write":
        assert [path for path in objects() if "#" in path]  # half of it, under no name
    assert await sweep() == 1 - rows
    assert objects() == await named()
    assert (await ada.call("GET", other["url"])).content == b"oak"
    items = (await ada.call("GET", url)).json()["items"]
    assert [item["size"] for item in items if item["id"] != other["id"]] == [NINE_MIB] * rows


@pytest.mark.parametrize(("point", "rows", "swept"), [("before_the_commit", 1, 0), ("after_the_commit", 0, 1)])
async def test_a_deletion_killed_before_and_after_its_commit(ada, do, objects, named, sweep, point, rows, swept):
    attachment = await ada.attached(await ada.task())
    assert await do(ada.id, "killed", point, "DELETE", attachment["url"]) == (signal.SIGKILL, None)
    assert (len(objects()), len(await named())) == (1, rows)
    assert await sweep() == swept
    assert objects() == await named()
    assert (await ada.call("GET", attachment["url"])).status_code == (200 if rows else 404)


async def test_uploads_killed_at_any_moment(ada, program, folder, objects, named, sweep):
    url = await ada.task()
    for number in range(12):
        pid = await program.begin(folder, ada.id, "killed", "nowhere", "POST", url)
        before = objects()
        async with asyncio.timeout(30):
            while objects() == before:
                await asyncio.sleep(0.005)
        await asyncio.sleep(number * 0.015)
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            os.kill(pid, signal.SIGKILL)
        _, said = await program.end()
        rows = await named()
        assert rows.items() <= objects().items()
        assert said in {None, 201}
        await sweep()
        assert objects() == await named()


async def test_a_large_file_is_never_whole_in_memory(ada, do, objects):
    killed, said = await do(ada.id, "weighed", await ada.task(), 64)
    assert (killed, said["largest_piece"]) == (0, 1024 * 1024)
    assert said["grown"] < 20, f"{said['grown']} MiB more memory for a file of 64 MiB"
    assert sorted(objects().values()) == [1024 * 1024, 64 * 1024 * 1024]
