"""Reading and replacing profiles."""

import asyncio
import time

import pytest
from sqlalchemy import select

from grove.contracts.auth import UserDeleted
from grove.core.clock import now
from grove.core.ids import new_id
from grove.valkey.cache import UserCache
from grove.valkey.client import create_valkey
from grove.web.auth import Authenticator
from grove.web.rate_limit import RateLimiter
from grove_resource.models import Profile

pytestmark = pytest.mark.integration
NOBODY = f"/profiles/{new_id()}"


async def test_a_profile_is_read_and_replaced(ada, register, told):
    await register(ada, "Ada")
    read = await ada.call("GET")
    assert read.status_code == 200
    assert read.headers["cache-control"] == "private, max-age=300"
    assert "Authorization" in read.headers["vary"]
    profile = read.json()
    assert list(profile) == ["user_id", "name", "bio", "photo_urls", "created_at", "updated_at"]
    assert (profile["user_id"], profile["name"], profile["bio"], profile["photo_urls"]) == (
        str(ada.id),
        "Ada",
        "",
        None,
    )
    replaced = await ada.replace(name="Ada Lovelace", bio="Plants\ntrees")
    assert (replaced.status_code, replaced.headers["cache-control"]) == (200, "private, no-store")
    assert await ada.profile() == replaced.json()
    assert (replaced.json()["name"], replaced.json()["bio"]) == ("Ada Lovelace", "Plants\ntrees")
    assert await told() == [(["bio", "name"], 2)]
    assert (await ada.replace(name="Ada Lovelace")).json()["bio"] == ""
    assert await told() == [(["bio", "name"], 2), (["bio"], 3)]


async def test_what_is_so_already_changes_nothing(ada, told):
    first = await ada.replace(name="Ada", bio="b")
    again = await ada.replace(name=" Ada ", bio="b")
    assert (again.json(), again.headers["etag"]) == (first.json(), first.headers["etag"])
    assert len(await told()) == 1


async def test_conditions(ada):
    tag = (await ada.call("GET")).headers["etag"]
    kept = await ada.call("GET", headers={"If-None-Match": tag})
    assert (kept.status_code, kept.content, kept.headers["cache-control"]) == (304, b"", "private, max-age=300")
    assert (await ada.call("PUT", json={"name": "Ada"}, headers={"If-Match": tag})).status_code == 200
    late = await ada.call("PUT", json={"name": "Eve"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    read = await ada.call("GET", headers={"If-None-Match": tag})
    assert (read.status_code, read.json()["name"]) == (200, "Ada")
    assert read.headers["etag"] == late.headers["etag"] != tag


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"bio": "b"},
        {"name": "A"},
        {"name": "  A  "},
        {"name": "a" * 101},
        {"name": None},
        {"name": 12},
        {"name": "A\nB"},
        {"name": "Ada\u202e"},
        {"name": "\u200b\u200b\u200b"},
        {"name": "\u3164\u3164\u2800"},
        {"name": "Ada", "bio": "b" * 501},
        {"name": "Ada", "bio": None},
        {"name": "Ada", "bio": "\u202e"},
        {"name": "Ada", "photo_urls": None},
    ],
)
async def test_bad_input_is_told_and_changes_nothing(ada, told, body):
    await ada.replace(name="Fine", bio="fine")
    answer = await ada.call("PUT", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert (await ada.profile())["bio"] == "fine"
    assert len(await told()) == 1


@pytest.mark.parametrize("name", ["é" * 100, "\ufdfa" * 100, "👩‍👩‍👧", "O'Brien; DROP TABLE profiles", "%_"])
async def test_unusual_names_are_names(ada, bob, name):
    assert (await ada.replace(name=name)).json()["name"] == name
    assert (await bob.replace(name=name)).status_code == 409


async def test_others_see_the_public_part(ada, bob, register):
    await register(ada, "Ada")
    await ada.replace(name="Ada", bio="b")
    seen = await bob.call("GET", f"/profiles/{ada.id}")
    assert seen.status_code == 200
    mine = await ada.profile()
    del mine["updated_at"]
    assert seen.json() == mine
    again = await bob.call("GET", f"/profiles/{ada.id}", headers={"If-None-Match": seen.headers["etag"]})
    assert again.status_code == 304
    assert (await bob.call("GET", f"/profiles/{bob.id}")).status_code == 200
    assert (await bob.call("GET", NOBODY)).json()["error"]["code"] == "RESOURCE_NOT_FOUND"
    assert (await bob.call("GET", "/profiles/none")).status_code == 422


async def test_scopes(ada, issuer):
    ada.headers = issuer.headers(ada.id, scope="profile:read")
    assert (await ada.call("GET")).status_code == 200
    assert (await ada.replace(name="Ada")).status_code == 403
    assert (await ada.call("DELETE", "/profile/photo")).status_code == 403
    assert (await ada.upload(b"x")).status_code == 403
    ada.headers = issuer.headers(ada.id, scope="profile:write")
    for path in ("/profile", "/profile/photo", f"/profiles/{ada.id}", f"/profiles/{ada.id}/photo"):
        assert (await ada.call("GET", path)).status_code == 403


async def test_writes_have_limits_of_their_own(ada, app, issuer, gate, resources):
    app.state.authenticator = Authenticator(issuer.verifier(), gate, RateLimiter(resources.valkey, "resource"))
    answers = [await ada.replace(name="Ada", bio=str(number)) for number in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[0].headers["ratelimit-policy"] == '"profile";q=10;w=3600'
    assert 0 < int(answers[-1].headers["retry-after"]) <= 360
    assert (await ada.call("DELETE", "/profile/photo")).status_code == 429
    uploads = [await ada.upload(b"not a picture") for _ in range(6)]
    assert [answer.status_code for answer in uploads] == [415] * 5 + [429]
    assert (await ada.profile())["bio"] == "9"


async def test_a_read_comes_from_the_cache_until_a_change(ada, resources, register):
    await ada.profile()
    async with resources.sessions.begin() as session:
        row = await session.scalar(select(Profile).where(Profile.user_id == ada.id))
        row.bio = "behind the cache's back"
    assert (await ada.profile())["bio"] == ""
    await register(ada, "Ada")
    assert (await ada.profile())["name"] == "Ada"
    await ada.replace(name="Ada", bio="new")
    assert (await ada.profile())["bio"] == "new"


async def test_changes_and_reads_at_once_never_leave_an_old_answer(ada):
    for number in range(15):
        await asyncio.gather(*(ada.profile() for _ in range(3)), ada.replace(name="Ada", bio=str(number)))
        assert (await ada.profile())["bio"] == str(number)


async def test_without_valkey_everything_works(ada, resources, settings, monkeypatch):
    away = create_valkey(settings.model_copy(update={"valkey_port": 1}))
    monkeypatch.setattr(resources, "profile_cache", UserCache(away, "resource", "profile", 300))
    started = time.monotonic()
    for bio in ("one", "two"):
        assert (await ada.replace(name="Ada", bio=bio)).status_code == 200
        assert (await ada.profile())["bio"] == bio
    assert time.monotonic() - started < 2


async def test_an_erased_user_with_a_living_token_gets_nothing_back(ada, bob, red, happen, resources, stored):
    await ada.replace(name="Ada")
    await ada.profile()
    await happen(UserDeleted(user_id=ada.id, deleted_at=now()), 5)
    answers = [
        await ada.call("GET"),
        await ada.replace(name="Back"),
        await ada.call("GET", f"/profiles/{ada.id}"),
        await ada.call("GET", "/profile/photo"),
        await ada.call("DELETE", "/profile/photo"),
        await ada.upload(red),
        await bob.call("GET", f"/profiles/{ada.id}"),
        await bob.call("GET", f"/profiles/{ada.id}/photo"),
    ]
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in answers} == {(404, "RESOURCE_NOT_FOUND")}
    async with resources.sessions() as session:
        assert (await session.scalars(select(Profile.user_id))).all() == []
    assert await stored() == set()
