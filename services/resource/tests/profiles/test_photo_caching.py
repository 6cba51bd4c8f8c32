"""What clients may keep of a photo, and which version of it they may take away."""

import pytest

pytestmark = pytest.mark.integration


async def test_only_the_address_of_one_photo_is_kept(ada, red):
    urls = (await ada.upload(red)).json()["photo_urls"]
    public = urls["64"].removeprefix("https://api.test/api/v1")
    unversioned = ["/profile/photo?size=64", "/profile/photo", public.partition("&v=")[0]]
    for path, expected in ((public, "private, max-age=3600"), *((path, "private, no-cache") for path in unversioned)):
        answer = await ada.call("GET", path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, expected)
        known = await ada.call("GET", path, headers={"If-None-Match": answer.headers["etag"]})
        assert (known.status_code, known.headers["cache-control"]) == (304, expected)


async def test_a_photo_is_taken_away_by_its_own_tag(ada, red, blue, stored):
    for size in (64, 256, 512):
        await ada.upload(red)
        tag = (await ada.call("GET", f"/profile/photo?size={size}")).headers["etag"]
        await ada.upload(blue)
        other = await ada.call("DELETE", "/profile/photo", headers={"If-Match": tag})
        assert (other.status_code, other.headers["etag"]) == (412, (await ada.call("GET")).headers["etag"])
        assert len(await stored()) == 3
        tag = (await ada.call("GET", f"/profile/photo?size={size}")).headers["etag"]
        assert (await ada.call("DELETE", "/profile/photo", headers={"If-Match": tag})).status_code == 204
        assert await stored() == set()
        assert (await ada.call("DELETE", "/profile/photo", headers={"If-Match": tag})).status_code == 412


async def test_a_photo_is_taken_away_by_the_profiles_tag(ada, red, stored):
    tag = (await ada.upload(red)).headers["etag"]
    answer = await ada.call("DELETE", "/profile/photo", headers={"If-Match": tag})
    assert (answer.status_code, answer.headers["content-location"]) == (204, "/api/v1/profile")
    assert await stored() == set()
