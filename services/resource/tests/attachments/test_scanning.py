"""Scanned attachments, with ClamAV's own daemon."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from grove.core.clock import now
from grove_resource.attachments.repository import ScanQueue
from grove_resource.attachments.scanning import Scanner
from grove_resource.files.clamd import Clamd, ClamdError
from grove_resource.models import Attachment
from grove_stack.testing.clamav import MALWARE, SIGNATURE, Clamav

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def daemon() -> Iterator[Clamav]:
    problem = Clamav.missing()
    if problem:
        pytest.skip(problem)
    daemon = Clamav()
    daemon.start()
    yield daemon
    daemon.remove()


@pytest.fixture
def clamav(daemon) -> Clamav:
    """It runs, whatever the test before did to it."""
    if not daemon.socket.exists():
        daemon.start()
    return daemon


@pytest.fixture
def scanner(clamav, resources, folder, monkeypatch):
    """Scanning is on; a worker's scanner."""
    changed = resources.settings.model_copy(update={"clamd_socket": str(clamav.socket)})
    monkeypatch.setattr(resources, "settings", changed)

    def scanner(seconds: float = 10, lease: timedelta = timedelta(seconds=40)) -> Scanner:
        queue = ScanQueue(resources.sessions, lease=lease)
        return Scanner(queue, resources.files, Clamd(str(clamav.socket), seconds=seconds))

    return scanner


async def test_a_file_is_downloaded_only_after_its_scan(ada, scanner):
    attachment = await ada.attached(await ada.task(), b"harmless" * 100_000)
    assert attachment["state"] == "scanning"
    early = await ada.call("GET", attachment["url"])
    assert (early.status_code, early.json()["error"]["code"]) == (409, "CONFLICT")
    assert int(early.headers["retry-after"]) > 0
    assert await scanner().scan_next()
    assert (await ada.call("GET", attachment["url"])).content == b"harmless" * 100_000
    assert not await scanner().scan_next()


@pytest.mark.parametrize("content", [MALWARE, b"x" * 300_000 + MALWARE + b"x" * 300_000])
async def test_malware_is_kept_and_never_served(ada, scanner, objects, content, capsys):
    url = await ada.task()
    attachment = await ada.attached(url, content, "invoice.pdf")
    assert await scanner().scan_next()
    for headers in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": "*"}):
        answer = await ada.call("GET", attachment["url"], headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
        assert "malware" in answer.json()["error"]["message"]
    assert (await ada.call("GET", url)).json()["items"][0]["state"] == "quarantined"
    assert list(objects().values()) == [len(content)]
    assert SIGNATURE in capsys.readouterr().out
    assert (await ada.call("DELETE", attachment["url"])).status_code == 204
    assert objects() == {}


async def test_without_clamd_files_wait_and_go_on_when_it_is_back(ada, scanner, clamav, monkeypatch):
    monkeypatch.setattr("grove_resource.attachments.scanning.AWAY_SECONDS", 0.05)
    clamav.stop()
    attachment = await ada.attached(await ada.task())
    job = scanner()
    running = asyncio.create_task(job.run())
    try:
        await asyncio.sleep(0.3)
        assert "can't be reached" in (await job.check() or "")
        assert (await ada.call("GET", attachment["url"])).status_code == 409
        await asyncio.to_thread(clamav.start)
        async with asyncio.timeout(10):
            while (await ada.call("GET", attachment["url"])).status_code != 200:
                await asyncio.sleep(0.02)
        assert await job.check() is None
    finally:
        running.cancel()


async def test_several_workers_take_each_file_once(ada, scanner, resources, monkeypatch):
    url = await ada.task()
    for number in range(12):
        await ada.attached(url, f"file {number}".encode())
    scanned: list[str] = []
    get = resources.files.get

    def counted(path: str, **bounds):
        scanned.append(path)
        return get(path, **bounds)

    monkeypatch.setattr(resources.files, "get", counted)

    async def work() -> None:
        while await scanner().scan_next():
            pass

    await asyncio.gather(*(work() for _ in range(4)))
    assert len(scanned) == len(set(scanned)) == 12
    assert {item["state"] for item in (await ada.call("GET", url)).json()["items"]} == {"available"}


async def test_what_a_killed_worker_had_is_taken_when_its_claim_ends(ada, scanner, resources):
    attachment = await ada.attached(await ada.task())
    queue = ScanQueue(resources.sessions, lease=timedelta(seconds=40))
    assert await queue.claim() is not None  # and the worker dies
    assert not await scanner().scan_next()
    async with resources.sessions.begin() as session:
        await session.execute(update(Attachment).values(scanned_at=now() - timedelta(seconds=41)))
    assert await scanner().scan_next()
    assert (await ada.call("GET", attachment["url"])).status_code == 200


async def test_a_file_without_a_verdict_keeps_no_other_waiting(ada, scanner, resources, monkeypatch):
    monkeypatch.setattr(resources, "settings", resources.settings.model_copy(update={"attachment_max_bytes": 2**24}))
    url = await ada.task()
    too_long = await ada.attached(url, b"x" * (13 * 1024 * 1024))  # more than clamd takes here
    other = await ada.attached(url, b"oak")
    assert [await scanner().scan_next() for _ in range(3)] == [True, True, False]
    assert (await ada.call("GET", too_long["url"])).status_code == 409
    assert (await ada.call("GET", other["url"])).status_code == 200


async def test_a_file_that_is_deleted_during_its_scan_stays_deleted(ada, scanner, resources, monkeypatch):
    attachment = await ada.attached(await ada.task())
    get = resources.files.get

    async def deleted_first(path: str, **bounds):
        assert (await ada.call("DELETE", attachment["url"])).status_code == 204
        async for piece in get(path, **bounds):
            yield piece

    monkeypatch.setattr(resources.files, "get", deleted_first)
    assert await scanner().scan_next()
    async with resources.sessions() as session:
        assert (await session.scalars(select(Attachment))).all() == []


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (None, "within"),
        (b"stream: maybe\0", "maybe"),
        (b"INSTREAM size limit exceeded. ERROR\0", "ERROR"),
        (b"", "does not answer"),
        (b"x" * 9999, "does not answer"),
    ],
)
async def test_a_scan_that_hangs_or_makes_no_sense_is_no_verdict(tmp_path, answer, word):
    async def chunks() -> AsyncIterator[bytes]:
        yield b"oak"

    async def talk(reader, writer):
        await reader.readuntil(bytes(4))
        if answer is not None:
            writer.write(answer)
            await writer.drain()
        else:
            await reader.read()  # until the client has enough
        writer.close()

    path = str(tmp_path / "s")
    async with await asyncio.start_unix_server(talk, path):
        with pytest.raises(ClamdError, match=word):
            await Clamd(path, seconds=0.3).scan(chunks())
