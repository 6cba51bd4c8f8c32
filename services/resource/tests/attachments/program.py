"""A process of the API with a client inside, for tests that kill it or weigh it.

Each line of its input is a JSON list: the folder of the files, the user, and what a process of its own, forked for
that, shall do. It answers with a JSON object a line: the `pid`, then what that process had to `say`, if it lived to
say it, and the signal that `killed` it, or 0.

`killed <point> <method> <url>`: does that, and is killed with SIGKILL at the point.
`weighed <url> <MiB>`: uploads and downloads that much; says by how many MiB its memory grew at most.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import structlog
from sqlalchemy import event
from sqlalchemy.orm import Session

from grove.testing.http import client_of
from grove.testing.tokens import Issuer, OpenGate
from grove.web.auth import Authenticator
from grove.web.uploads import Upload
from grove_resource.files import store
from grove_resource.main import build
from grove_resource.resources import Resources
from grove_resource.settings import ResourceSettings

FORM = {"Content-Type": "multipart/form-data; boundary=b"}
KIB_64 = b"x" * 65536


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_the_objects_write() -> None:
    chunks = Upload.chunks

    async def half(self: Upload) -> AsyncIterator[bytes]:
        passed = 0
        async for chunk in chunks(self):
            passed += len(chunk)
            if passed > self.size // 2:
                die()
            yield chunk

    Upload.chunks = half  # type: ignore[method-assign] # this process lives for it


def before_the_name_is_on_the_disk() -> None:
    store._to_disk = die


def before_the_commit() -> None:
    event.listen(Session, "before_commit", die)


def after_the_commit() -> None:
    event.listen(Session, "after_commit", die)


def nowhere() -> None:
    """The request ends."""


POINTS: dict[str, Callable[[], None]] = {
    point.__name__: point
    for point in (
        in_the_objects_write,
        before_the_name_is_on_the_disk,
        before_the_commit,
        after_the_commit,
        nowhere,
    )
}


async def form(mebibytes: int) -> AsyncIterator[bytes]:
    """A form with a file of that size, which is never whole anywhere here."""
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    for _ in range(mebibytes * 16):
        yield KIB_64
    yield b"\r\n--b--\r\n"


def most_memory() -> int:
    """The most that this process ever had, in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


async def killed(client: httpx2.AsyncClient, headers: dict[str, str], point: str, method: str, url: str) -> None:
    POINTS[point]()
    content: Any = {"content": form(9), "headers": headers | FORM} if method == "POST" else {"headers": headers}
    answer = await client.request(method, url, **content)
    say(say=answer.status_code)


async def weighed(app: Any, client: httpx2.AsyncClient, headers: dict[str, str], url: str, mebibytes: int) -> None:
    for size in (1, mebibytes):  # the first time loads what is loaded once
        before = most_memory()
        answer = await client.post(url, content=form(size), headers=headers | FORM)
        assert answer.status_code == 201, answer.text
        received = await download(app, headers, answer.headers["location"])
        assert sum(received) == size * 2**20
    say(say={"grown": (most_memory() - before) // 1024, "largest_piece": max(received)})


async def download(app: Any, headers: dict[str, str], path: str) -> list[int]:
    """The sizes of the pieces that the app sends; a client would keep them all."""
    sizes: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sizes.append(len(message["body"]))

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "state": {},
    }
    await app(scope, receive, send)
    return sizes


async def work(folder: str, user_id: str, what: str, *arguments: Any) -> None:
    settings = ResourceSettings(files_url=f"file://{folder}", attachment_max_bytes=64 * 2**20)
    resources, issuer = Resources(settings), Issuer()
    app = build(settings, resources)
    app.state.authenticator = Authenticator(issuer.verifier(), OpenGate(), resources.limiter)
    headers = issuer.headers(UUID(user_id))
    async with client_of(app) as client:
        if what == "killed":
            await killed(client, headers, *arguments)
        else:
            await weighed(app, client, headers, *arguments)
    await resources.aclose()


def say(**fact: Any) -> None:
    os.write(1, (json.dumps(fact) + "\n").encode())


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    say(ready=True)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            try:
                asyncio.run(work(*json.loads(line)))
            finally:
                os._exit(0)
        say(pid=pid)
        _, status = os.waitpid(pid, 0)
        say(killed=os.WTERMSIG(status))


if __name__ == "__main__":
    main()
