"""Pictures of all kinds, as files."""

import io
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from grove_resource.images.rules import Kind
from grove_resource.images.thumbnails import thumbnails


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def gradient(size: tuple[int, int] = (90, 60), mode: str = "RGB") -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert(mode)


def chunk(name: bytes, content: bytes) -> bytes:
    """Of a PNG."""
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    return encoded


@pytest.fixture(scope="session")
def sound() -> dict[str, bytes]:
    """Files that are fine."""
    frames = [gradient().rotate(10 * turn) for turn in range(5)]
    animation = {"save_all": True, "append_images": frames[1:], "duration": 50}
    return {
        "baseline.JPEG": encoded(gradient(), "JPEG"),
        "progressive.JPEG": encoded(gradient(), "JPEG", progressive=True),
        "grey.JPEG": encoded(gradient(mode="L"), "JPEG"),
        "cmyk.JPEG": encoded(gradient(mode="CMYK"), "JPEG"),
        "restarts.JPEG": encoded(gradient(), "JPEG", restart_marker_rows=1),
        "comment.JPEG": encoded(gradient(), "JPEG", comment=b"\xff\xd9 is no end here"),
        "plain.PNG": encoded(gradient(), "PNG"),
        "alpha.PNG": encoded(gradient(mode="RGBA"), "PNG"),
        "palette.PNG": encoded(gradient(mode="P"), "PNG", transparency=3),
        "bits.PNG": encoded(gradient(mode="1"), "PNG"),
        "sixteen.PNG": encoded(Image.new("I;16", (40, 30), 40_000), "PNG"),
        "animated.PNG": encoded(frames[0], "PNG", **animation),
        "still.GIF": encoded(gradient(mode="P"), "GIF", comment=b"; is no end here"),
        "animated.GIF": encoded(frames[0], "GIF", **animation),
        "lossy.WEBP": encoded(gradient(), "WEBP"),
        "lossless.WEBP": encoded(gradient(mode="RGBA"), "WEBP", lossless=True),
        "alpha.WEBP": encoded(gradient(mode="LA").convert("RGBA"), "WEBP", exact=True),
        "animated.WEBP": encoded(frames[0], "WEBP", **animation),
        "tiny.PNG": encoded(Image.new("RGB", (1, 1)), "PNG"),
        "thin.PNG": encoded(Image.new("RGB", (1, 3000), (9, 9, 9)), "PNG"),
    }


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """A PNG, written by hand: header, what is said, and chunks between."""

    def png(width: int, height: int, *between: tuple[bytes, bytes], rows: bytes | None = None) -> bytes:
        pixels = rows if rows is not None else b"".join([b"\0" + bytes(3 * width) for _ in range(height)])
        header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
        chunks = [(b"IHDR", header), *between, (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)

    return png


@pytest.fixture(scope="session")
def made() -> Callable[[str, bytes], list[Image.Image]]:
    """The thumbnails of a file, opened."""

    def made(kind: str, data: bytes) -> list[Image.Image]:
        return [Image.open(io.BytesIO(each)) for each in thumbnails(Kind(kind), data)]

    return made
