"""Files that mean harm, or look as if they did, through the API."""

import io
import time
import zipfile

import pytest
from PIL import Image

pytestmark = pytest.mark.integration


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def archive() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        packed.writestr("run.sh", "echo")
    return written.getvalue()


def frames(count: int) -> bytes:
    """A GIF of so many frames."""
    still = encoded(Image.new("P", (8, 8)), "GIF")
    frame = still.index(b"\x2c\0\0\0\0")
    return still[:frame] + still[frame:-1] * count + b";"


STILL = encoded(Image.new("P", (8, 8)), "GIF")
PHOTO = encoded(Image.effect_noise((400, 300), 60).convert("RGB"), "JPEG")
REFUSED = {
    "a GIF and a zip": ("a.gif", STILL + archive()),
    "a photo and a page": ("a.jpg", PHOTO[:-2] + b"<script>alert(1)</script>" + PHOTO[-2:]),
    "a bomb": ("a.png", encoded(Image.new("1", (20_000, 20_000)), "PNG")),
    "a larger bomb": ("a.gif", STILL[:6] + b"\xff\xff\xff\xff" + STILL[10:]),
    "a photo without its end": ("a.jpg", PHOTO[:-2]),
    "nothing but a beginning": ("a.webp", b"RIFF\x04\0\0\0WEBP"),
} | {f"{tenth} tenths of a photo": ("a.jpg", PHOTO[: len(PHOTO) * tenth // 10]) for tenth in range(1, 10)}
TAKEN = {
    "10,000 frames": ("a.gif", frames(10_000)),
    "an animation": (
        "a.webp",
        encoded(
            Image.new("RGB", (30, 30), (255, 0, 0)),
            "WEBP",
            save_all=True,
            append_images=[Image.new("RGB", (30, 30), (0, shade, 255)) for shade in range(50)],
        ),
    ),
    "for print": ("a.jpeg", encoded(Image.new("CMYK", (300, 200), (0, 200, 200, 0)), "JPEG")),
    "sixteen bits": ("A.PNG", encoded(Image.new("I;16", (60, 60), 40_000), "PNG")),
    "a palette with a hole": ("a.png", encoded(Image.new("P", (60, 60), 1), "PNG", transparency=1)),
}
TYPES = {"gif": "image/gif", "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


def declared(name: str) -> str:
    return TYPES[name.rsplit(".", 1)[1].lower()]


@pytest.mark.parametrize("what", list(REFUSED))
async def test_refused_at_once_with_a_reason(ada, what, stored):
    name, content = REFUSED[what]
    assert len(content) < 500_000
    started = time.monotonic()
    answer = await ada.upload(content, name, declared(name))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "body.file"
    assert time.monotonic() - started < 5
    assert await stored() == set()


@pytest.mark.parametrize("what", list(TAKEN))
async def test_unusual_and_fine(ada, what):
    name, content = TAKEN[what]
    started = time.monotonic()
    assert (await ada.upload(content, name, declared(name))).status_code == 200
    assert time.monotonic() - started < 5
    shown = await ada.call("GET", "/profile/photo?size=256")
    assert Image.open(io.BytesIO(shown.content)).size == (256, 256)
