"""Profiles and photos, through the whole suite."""

import io

from PIL import Image

from grove.core.ids import new_id


def photo() -> bytes:
    """A JPEG as a phone makes them: on its side, and with the place where it was taken."""
    exif = Image.Exif()
    exif[0x0110] = "Phone 12"
    exif[0x0112] = 6
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    picture = Image.new("RGB", (2000, 1500), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 1000, 1500))
    written = io.BytesIO()
    picture.save(written, "JPEG", exif=exif)
    assert Image.open(written).getexif().get_ifd(0x8825)
    return written.getvalue()


async def test_from_registration_to_deletion(suite, ada, bob, wait_until):
    async def named() -> bool:
        names = [(await person.call("GET", "/profile")).json()["name"] for person in (ada, bob)]
        return all(name.startswith("Ada") for name in names) and names[0] != names[1]

    await wait_until(named, 20)  # both registered as Ada
    mine = (await ada.call("GET", "/profile")).json()
    name = f"Ada {new_id().hex[-8:]}"
    replaced = await ada.call("PUT", "/profile", json={"name": name, "bio": "Plants trees"})
    assert (replaced.status_code, replaced.json()["name"]) == (200, name)
    taken = await bob.call("PUT", "/profile", json={"name": name.upper()})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "CONFLICT")

    uploaded = await ada.call("POST", "/profile/upload-photo", files={"file": ("me.jpg", photo(), "image/jpeg")})
    assert uploaded.status_code == 200, uploaded.text
    urls = uploaded.json()["photo_urls"]
    public = (await bob.call("GET", f"/profiles/{mine['user_id']}")).json()
    assert (public["name"], public["bio"], public["photo_urls"]) == (name, "Plants trees", urls)
    for size, url in urls.items():
        shown = await bob.client.get(url, headers=bob.headers)
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
        assert b"EXIF" not in shown.content
        assert b"Phone" not in shown.content
        square = Image.open(io.BytesIO(shown.content))
        assert (square.size, dict(square.getexif())) == ((int(size), int(size)), {})
        top = square.convert("RGB").getpixel((int(size) // 2, int(size) // 8))
        assert top[0] > 200  # its left side, the red one, is up, as the phone said
        assert top[2] < 60
        kept = await bob.client.get(url, headers=bob.headers | {"If-None-Match": shown.headers["etag"]})
        assert kept.status_code == 304

    async def notified() -> bool:
        return (await ada.call("GET", "/notifications?type=PROFILE_UPDATED")).json()["total"] >= 2

    await wait_until(notified, 20)
    assert (await ada.client.delete(f"{suite.auth}/me", headers=ada.headers)).status_code == 204

    async def gone() -> bool:
        return (await bob.call("GET", f"/profiles/{mine['user_id']}")).status_code == 404

    await wait_until(gone, 20)
    assert (await bob.client.get(urls["64"], headers=bob.headers)).status_code == 404
    assert (await bob.call("GET", "/profile")).status_code == 200
