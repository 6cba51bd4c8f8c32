"""Attachments through the edge: the largest file, one byte more, a part, another user, and no trace after all."""

import asyncio
import contextlib
import hashlib
import random

import httpx2

MIB = 1024 * 1024
BYTES = random.Random(9).randbytes(10 * MIB)  # noqa: S311 - nothing a compressor could shorten


async def attach(person, url: str, content: bytes, name: str = "bytes.bin", **headers: str):
    return await person.call("POST", url, files={"file": (name, content)}, headers=headers)


async def test_a_file_of_ten_mebibytes_comes_and_goes(suite, ada, bob):
    task = (await ada.call("POST", "/tasks", json={"title": "Plant"})).json()["id"]
    url = f"/tasks/{task}/attachments"
    added = await attach(ada, url, BYTES, "Gärten.bin", **{"Idempotency-Key": "one"})
    assert added.status_code == 201, added.text
    again = await attach(ada, url, BYTES, "Gärten.bin", **{"Idempotency-Key": "one"})
    assert (again.json(), again.headers["idempotency-replayed"]) == (added.json(), "true")
    for size in (10 * MIB + 1, 11 * MIB):
        refused = await attach(ada, url, b"x" * size)
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    with contextlib.suppress(httpx2.TransportError):  # the edge answers without reading on, and hangs up
        assert (await attach(ada, url, b"x" * 13 * MIB)).status_code == 413

    one = added.json()["url"].removeprefix("/api/v1")
    whole = await ada.call("GET", one, headers={"Accept-Encoding": "br, gzip"})
    assert hashlib.sha256(whole.content).hexdigest() == hashlib.sha256(BYTES).hexdigest()
    assert "content-encoding" not in whole.headers
    assert "filename*=UTF-8''G%C3%A4rten.bin" in whole.headers["content-disposition"]
    part = await ada.call("GET", one, headers={"Range": "bytes=5000000-5000099", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.headers["content-range"]) == (206, f"bytes 5000000-5000099/{len(BYTES)}")
    assert part.content == BYTES[5_000_000:5_000_100]
    known = await ada.call("GET", one, headers={"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")

    strange = [
        await bob.call("GET", url),
        await bob.call("GET", one),
        await bob.call("DELETE", one),
        await attach(bob, url, b"mine"),
    ]
    assert [answer.status_code for answer in strange] == [403] * 4
    assert (await ada.call("GET", url)).json()["total"] == 1
    objects = suite.layout.root / "files" / "attachments"
    assert [path.stat().st_size for path in objects.iterdir()] == [len(BYTES)]
    assert (await ada.call("DELETE", one)).status_code == 204
    assert (await ada.call("GET", one)).status_code == 404
    assert not objects.exists() or list(objects.iterdir()) == []


async def test_many_downloads_at_once_are_whole(ada):
    task = (await ada.call("POST", "/tasks", json={"title": "Plant"})).json()["id"]
    content = BYTES[: 3 * MIB]
    url = (await attach(ada, f"/tasks/{task}/attachments", content)).json()["url"].removeprefix("/api/v1")
    answers = await asyncio.gather(*(ada.call("GET", url) for _ in range(8)))
    assert {answer.content == content for answer in answers} == {True}


async def test_a_download_is_not_held_back_and_leaves_nothing_at_the_edge(suite, ada):
    task = (await ada.call("POST", "/tasks", json={"title": "Plant"})).json()["id"]
    url = (await attach(ada, f"/tasks/{task}/attachments", BYTES)).json()["url"]
    held = suite.layout.root / "traefik" / "tmp"
    before = set(held.iterdir())
    port = suite.file["api_url"].rsplit(":", 1)[1]
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(port), ssl=suite.tls, server_hostname="api.localhost"
    )
    asked = [f"GET {url} HTTP/1.1", "Host: api.localhost", f"Authorization: {ada.headers['Authorization']}", "", ""]
    writer.write("\r\n".join(asked).encode())
    headers = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in headers.splitlines()[0]
    assert await reader.readexactly(1000) == BYTES[:1000]
    assert set(held.iterdir()) <= before  # a file there, of what a client does not fetch, would stay
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
