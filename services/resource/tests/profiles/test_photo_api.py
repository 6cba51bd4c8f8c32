"""Photos: uploaded, shown, taken away."""

import asyncio
import io

import pytest
from PIL import Image

from grove.core.ids import new_id
from grove_resource.images import renderer
from grove_resource.images.rules import MAX_BYTES

pytestmark = pytest.mark.integration


def picture(answer) -> Image.Image:
    assert answer.status_code == 200
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    return image


async def test_a_photo_is_shown_in_three_sizes(ada, bob, red, told, stored):
    before = (await ada.call("GET")).headers["etag"]
    answer = await ada.upload(red)
    assert answer.status_code == 200
    assert answer.headers["content-location"] == "/api/v1/profile"
    assert answer.json() == await ada.profile()
    assert answer.headers["etag"] == (await ada.call("GET")).headers["etag"] != before
    assert await told() == [(["photo"], 2)]
    urls = answer.json()["photo_urls"]
    assert list(urls) == ["64", "256", "512"]
    assert len(await stored()) == 3
    for size, url in urls.items():
        assert url.startswith(f"https://api.test/api/v1/profiles/{ada.id}/photo?size={size}&v=")
        shown = await bob.client.get(url, headers=bob.headers)
        assert shown.headers["content-type"] == "image/webp"
        assert shown.headers["content-disposition"] == "inline"
        assert shown.headers["cache-control"] == "private, max-age=3600"
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        image = picture(shown)
        assert (image.format, image.size) == ("WEBP", (int(size), int(size)))
        assert image.getpixel((5, 5))[0] > 180
        mine = await ada.call("GET", f"/profile/photo?size={size}")
        assert (mine.content, mine.headers["etag"]) == (shown.content, shown.headers["etag"])
        assert "Authorization" in mine.headers["vary"]
    assert picture(await ada.call("GET", "/profile/photo")).size == (512, 512)


async def test_conditions_and_sizes(ada, red, blue):
    await ada.upload(red)
    tag = (await ada.call("GET", "/profile/photo?size=64")).headers["etag"]
    for path in ("/profile/photo", f"/profiles/{ada.id}/photo"):
        kept = await ada.call("GET", f"{path}?size=64", headers={"If-None-Match": tag})
        assert (kept.status_code, kept.content, kept.headers["etag"]) == (304, b"", tag)
        assert kept.headers["cache-control"] == "private, no-cache"
        assert (await ada.call("GET", path, headers={"If-None-Match": tag})).status_code == 200
        for size in ("65", "0", "x", "-64"):
            assert (await ada.call("GET", f"{path}?size={size}")).status_code == 422
    await ada.upload(blue)
    assert (await ada.call("GET", "/profile/photo?size=64", headers={"If-None-Match": tag})).status_code == 200


async def test_a_new_photo_replaces_the_old_one_and_its_files(ada, red, blue, stored):
    first = (await ada.upload(red)).json()["photo_urls"]
    old = await stored()
    second = (await ada.upload(blue)).json()["photo_urls"]
    assert set(first.values()).isdisjoint(second.values())
    assert len(await stored()) == 3
    assert (await stored()).isdisjoint(old)
    assert picture(await ada.call("GET", "/profile/photo")).getpixel((5, 5))[2] > 180


async def test_a_photo_is_taken_away(ada, bob, red, told, stored):
    await ada.upload(red)
    for _ in range(2):
        answer = await ada.call("DELETE", "/profile/photo")
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await ada.profile())["photo_urls"] is None
    assert await stored() == set()
    assert await told() == [(["photo"], 2), (["photo"], 3)]
    for path in ("/profile/photo", f"/profiles/{ada.id}/photo", f"/profiles/{new_id()}/photo"):
        assert (await bob.call("GET", path)).json()["error"]["code"] == "RESOURCE_NOT_FOUND"


async def test_a_change_of_an_old_version_leaves_no_files(ada, red, blue, stored):
    tag = (await ada.call("GET")).headers["etag"]
    await ada.upload(red)
    shown = await stored()
    assert (await ada.upload(blue, headers={"If-Match": tag})).status_code == 412
    assert (await ada.call("DELETE", "/profile/photo", headers={"If-Match": tag})).status_code == 412
    assert await stored() == shown
    assert picture(await ada.call("GET", "/profile/photo")).getpixel((5, 5))[0] > 180


async def test_uploads_at_once_leave_one_photo(ada, red, stored, monkeypatch):
    monkeypatch.setattr(renderer, "TURN_SECONDS", 60)  # however slow the machine is
    await ada.profile()
    answers = await asyncio.gather(*(ada.upload(red) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await stored()) == 3
    assert picture(await ada.call("GET", "/profile/photo"))


async def test_replacing_while_others_look_shows_them_one_of_both(ada, bob, red, blue):
    await ada.upload(red)
    seen = []

    async def look() -> None:
        while not done.is_set():
            seen.append((await bob.call("GET", f"/profiles/{ada.id}/photo?size=64")).status_code)

    done = asyncio.Event()
    looking = asyncio.create_task(look())
    for content in (blue, red, blue):
        await ada.upload(content)
    done.set()
    await looking
    assert set(seen) == {200}
    assert len(seen) > 10


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.jpg", "image/png"),
        ("a.png", "image/jpeg"),
        ("a.jpg", "image/jpeg"),
        ("a", "image/png"),
        ("a.png", "application/octet-stream"),
        ("a.png.exe", "image/png"),
        ("a.svg", "image/svg+xml"),
    ],
)
async def test_name_type_and_content_agree(ada, red, name, content_type):
    answer = await ada.upload(red, name, content_type)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert (await ada.profile())["photo_urls"] is None


@pytest.mark.parametrize(
    ("name", "content_type", "content"),
    [
        ("a.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("a.png", "image/png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.png", "image/png", b"<html><script>alert(1)</script></html>"),
        ("a.webp", "image/webp", b"RIFF\x04\0\0\0WAVE"),
        ("a.bmp", "image/bmp", b"BM" + bytes(60)),
        ("a.tif", "image/tiff", b"II*\0" + bytes(60)),
        ("a.gif", "image/gif", b"\0"),
    ],
)
async def test_what_is_no_such_picture_is_refused(ada, name, content_type, content):
    assert (await ada.upload(content, name, content_type)).status_code == 415


async def test_forms_that_are_none(ada, red):
    for answer, status in (
        (await ada.call("POST", "/profile/upload-photo", json={"file": "x"}), 415),
        (await ada.call("POST", "/profile/upload-photo"), 415),
        (await ada.call("POST", "/profile/upload-photo", files={"photo": ("a.png", red, "image/png")}), 422),
        (await ada.upload(b""), 422),
        (await ada.upload(red + bytes(MAX_BYTES)), 413),
        (await ada.upload(red + bytes(MAX_BYTES - len(red) + 1)), 413),
    ):
        assert answer.status_code == status, answer.text


async def test_a_broken_picture_is_told_apart_and_changes_nothing(ada, red, stored, told):
    await ada.upload(red)
    shown = await stored()
    for content in (red[:-20], red + b"PK\x05\x06" + bytes(18), red.replace(b"IDAT", b"XDAT")):
        answer = await ada.upload(content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
        [detail] = answer.json()["error"]["details"]
        assert (detail["field"], detail["message"]) == ("body.file", answer.json()["error"]["message"])
    assert await stored() == shown
    assert len(await told()) == 1


async def test_a_photo_makes_the_row_of_an_unknown_user(ada, red):
    assert (await ada.upload(red)).json()["name"].startswith("user-")
