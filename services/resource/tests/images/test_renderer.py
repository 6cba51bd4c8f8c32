"""Decoding in processes: bounded in number, time and memory."""

import asyncio
import io
import subprocess
import sys

import pytest
from PIL import Image
from starlette.datastructures import Headers, UploadFile

from grove.core.errors import ServiceUnavailable, UnsupportedMedia
from grove.web.uploads import Upload
from grove_resource.images import renderer as module
from grove_resource.images.process import MEMORY_BYTES, REFUSED
from grove_resource.images.renderer import MOST, NoPicture, Renderer

START = asyncio.create_subprocess_exec


def upload(data: bytes, name: str = "a.png", content_type: str = "image/png") -> Upload:
    file = UploadFile(io.BytesIO(data), filename=name, headers=Headers({"content-type": content_type}))
    return Upload(name, content_type, len(data), b"", file)


@pytest.fixture
def renderer():
    return Renderer()


@pytest.fixture
def patience(monkeypatch):
    """A turn comes, however slow the machine is."""
    monkeypatch.setattr(module, "TURN_SECONDS", 60)


@pytest.fixture
def begun(monkeypatch):
    """Processes that were started."""
    processes = []

    async def start(*words, **options):
        processes.append(await START(*words, **options))
        return processes[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    return processes


@pytest.fixture
def small(encode):
    return encode(Image.new("RGB", (30, 20), (9, 9, 9)), "PNG")


async def test_three_thumbnails(renderer, small):
    made = await renderer.thumbnails(upload(small))
    assert {size: Image.open(io.BytesIO(content)).size for size, content in made.items()} == {
        64: (64, 64),
        256: (256, 256),
        512: (512, 512),
    }


async def test_no_process_starts_for_what_is_no_picture(renderer, begun, small):
    with pytest.raises(UnsupportedMedia):
        await renderer.thumbnails(upload(small, "a.gif"))
    assert begun == []


async def test_the_reason_of_a_refusal_is_told(renderer, small):
    with pytest.raises(NoPicture, match="behind the end"):
        await renderer.thumbnails(upload(small + b"!"))
    with pytest.raises(NoPicture, match="can't be read"):
        await renderer.thumbnails(upload(small.replace(b"IDAT", b"iDAT")))


async def test_few_at_once_and_the_rest_is_told_to_come_back(renderer, begun, small, patience):
    answers = await asyncio.gather(
        *(renderer.thumbnails(upload(small)) for _ in range(MOST + 3)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, ServiceUnavailable)]
    assert len(refused) == 3
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
    assert len(begun) == MOST
    assert await renderer.thumbnails(upload(small))


async def test_never_more_processes_than_allowed(renderer, begun, small, patience):
    running = []

    async def watch() -> None:
        while True:
            running.append(sum(process.returncode is None for process in begun))
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(renderer.thumbnails(upload(small)) for _ in range(5)))
    watching.cancel()
    assert max(running) == module.AT_ONCE


async def test_what_takes_too_long_is_ended(renderer, begun, small, monkeypatch):
    monkeypatch.setattr(module, "WALL_SECONDS", 0.01)
    with pytest.raises(NoPicture, match="too long"):
        await renderer.thumbnails(upload(small))
    assert begun[0].returncode == -9


async def test_who_gives_up_leaves_no_process_behind(renderer, begun, small):
    waiting = asyncio.create_task(renderer.thumbnails(upload(small)))
    async with asyncio.timeout(5):
        while not begun:
            await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert begun[0].returncode == -9
    assert renderer._taken == 0


@pytest.mark.parametrize("number", [6, 11])  # an abort, a wild pointer
async def test_a_decoder_that_crashes_takes_nobody_with_it(renderer, begun, small, number):
    working = asyncio.create_task(renderer.thumbnails(upload(small)))
    async with asyncio.timeout(5):
        while not begun:
            await asyncio.sleep(0.001)
    begun[0].send_signal(number)
    with pytest.raises(NoPicture):
        await working
    assert await renderer.thumbnails(upload(small))


async def test_a_decoder_that_another_kills_is_not_the_pictures_fault(renderer, begun, small):
    working = asyncio.create_task(renderer.thumbnails(upload(small)))
    async with asyncio.timeout(5):
        while not begun:
            await asyncio.sleep(0.001)
    begun[0].send_signal(9)  # as the kernel does when there is no memory
    with pytest.raises(ServiceUnavailable) as away:
        await working
    assert away.value.headers["Retry-After"] == "5"


async def test_who_waits_too_long_for_a_turn_is_told_to_come_back(renderer, begun, small, monkeypatch):
    monkeypatch.setattr(module, "TURN_SECONDS", 0.01)
    async with renderer._turn(), renderer._turn():
        with pytest.raises(ServiceUnavailable) as busy:
            await renderer.thumbnails(upload(small))
    assert busy.value.headers["Retry-After"] == "5"
    assert (begun, renderer._taken) == ([], 0)
    monkeypatch.undo()
    assert await renderer.thumbnails(upload(small))


async def test_a_process_that_can_not_start_is_our_fault(renderer, small, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ServiceUnavailable):
        await renderer.thumbnails(upload(small))


async def test_the_largest_pictures_fit(renderer, encode):
    side = 6324
    for kind, name in (("PNG", "a.png"), ("WEBP", "a.webp")):
        data = encode(Image.new("RGBA", (side, side), (1, 2, 3, 100)), kind, method=0)
        assert len(data) < 200_000
        assert await renderer.thumbnails(upload(data, name, f"image/{name[2:]}"))


def test_memory_is_bounded():
    code = f"from grove_resource.images.process import _bound; _bound(); bytes({MEMORY_BYTES})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MemoryError" in done.stderr


def test_the_decoder_goes_first_when_the_host_has_no_memory():
    code = "from grove_resource.images.process import _bound; _bound(); print(open('/proc/self/oom_score_adj').read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1000"


def test_time_is_bounded():
    code = "from grove_resource.images import process; process.CPU_SECONDS = 1; process._bound()\nwhile True: pass"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == -24


def test_the_process_refuses_with_a_sentence():
    words = [sys.executable, "-I", "-m", "grove_resource.images.process", "PNG"]
    done = subprocess.run(words, input=b"no", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (REFUSED, b"The picture can't be read.")
