"""What a file is by its bytes."""

import gzip
import io
import zipfile
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from grove_resource.files.content_type import Sniffer


async def sniffed(content: bytes, piece: int = 65536) -> str:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), piece):
            yield content[start : start + piece]

    sniffer = Sniffer()
    passed = [chunk async for chunk in sniffer.through(chunks())]
    assert b"".join(passed) == content
    return sniffer.content_type


def image(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, kind)
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a.txt", "oak")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (image("PNG"), "image/png"),
        (image("JPEG"), "image/jpeg"),
        (image("GIF"), "image/gif"),
        (image("WEBP"), "image/webp"),
        (archive(), "application/zip"),
        (gzip.compress(b"oak"), "application/gzip"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
        (b"%PDF-1.4\nall of it is letters\n", "application/pdf"),
        (b"{\\rtf1 letters}", "application/rtf"),
        (b"MZ\x90\x00\x03", "application/x-msdownload"),
        (b"oak", "text/plain"),
        ("Bäume 🌳\r\n\tund \x1b[1mSträucher\x0c".encode(), "text/plain"),
        (b"BM is what a bitmap begins with", "text/plain"),
        (b"<html><script>alert(1)</script>", "text/plain"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "text/plain"),
        ("ä".encode("latin-1"), "application/octet-stream"),
        (b"a\x00b", "application/octet-stream"),
        (b"<html>\x00<script>", "application/octet-stream"),
        (b"half a letter: \xc3", "application/octet-stream"),
        (b"x" * 200_000 + b"\xff", "application/octet-stream"),
    ],
)
@pytest.mark.parametrize("piece", [1000, 65536])
async def test_bytes_say_what_they_are(content, kind, piece):
    assert await sniffed(content, piece) == kind


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
async def test_letters_that_pieces_cut_apart_are_letters(piece):
    assert await sniffed("Bäume 🌳 и деревья".encode(), piece) == "text/plain"


@given(
    st.binary(min_size=1, max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"RIFF", b"<svg "])
)
async def test_nothing_is_ever_something_that_a_browser_runs(content, head):
    kind = await sniffed(head + content)
    assert "/" in kind
    assert not any(word in kind for word in ("html", "svg", "xml", "javascript"))
