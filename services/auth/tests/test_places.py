"""Sign-ins from new devices and places: told once, never for the first, and never for what is known."""

import asyncio
from datetime import timedelta

import maxminddb
import pytest

from grove.core.clock import now
from grove.testing.mmdb import city, write
from grove_auth.places.geo import GeoDatabase, Place

AUTH = "/api/v1/auth"
HOME, NEXT_DOOR, AWAY, FAR = "203.0.113.7", "203.0.113.99", "198.51.100.8", "192.0.2.9"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEWER_FIREFOX = FIREFOX.replace("140.0", "141.0")
SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1"
)
PLACES = {
    "203.0.113.0/24": city("DE", "Berlin"),
    "198.51.100.0/24": city("DE", "Berlin"),
    "192.0.2.0/25": city("PT"),
    "2001:db8:1::/48": city("DE", "Köln"),
}


async def sign_in(person, ip: str, agent: str = FIREFOX) -> dict:
    answer = await person.login(headers={"X-Forwarded-For": ip, "User-Agent": agent})
    assert answer.status_code == 200
    return answer.json()


async def suspicious(outside) -> list[dict]:
    return [event.data for event in await outside.events() if event.type == "auth.login.suspicious.v1"]


async def alerts(outside) -> list[dict]:
    return [mail for mail in await outside.mails() if mail["template"] == "new_sign_in"]


@pytest.fixture
async def bob(stranger):
    """Verified, and not signed in yet."""
    await stranger.register()
    await stranger.verify()
    return stranger


@pytest.fixture
def database(tmp_path, resources, monkeypatch):
    """A file of places that the service looks into."""
    path = tmp_path / "places.mmdb"
    write(path, PLACES)
    geo = GeoDatabase(path)
    monkeypatch.setattr(resources, "geo", geo)
    yield path
    geo.close()


@pytest.mark.integration
async def test_the_first_sign_in_and_known_ones_are_not_told(bob, outside):
    await sign_in(bob, HOME)
    await sign_in(bob, HOME)
    await sign_in(bob, NEXT_DOOR, NEWER_FIREFOX)
    assert await suspicious(outside) == []
    assert await alerts(outside) == []


@pytest.mark.integration
async def test_a_new_device_or_place_is_told_once(bob, outside, resources):
    await sign_in(bob, HOME)
    session = (await sign_in(bob, HOME, SAFARI))["session_id"]
    await sign_in(bob, AWAY)
    await sign_in(bob, FAR, "curl/8.5")
    for ip, agent in ((HOME, SAFARI), (AWAY, FIREFOX), (FAR, "curl/8.5"), (AWAY, SAFARI)):
        await sign_in(bob, ip, agent)
    told = await suspicious(outside)
    assert [data["reason"] for data in told] == ["new_device", "new_place", "new_device_and_place"]
    assert (told[0]["session_id"], told[0]["browser"], told[0]["ip"]) == (session, "Safari", "203.0.113.0")
    mails = [mail["variables"] for mail in await alerts(outside)]
    assert [(mail["device"], mail["place"], mail["ip"]) for mail in mails] == [
        ("Safari on Mac OS X", "", "203.0.113.0"),
        ("Firefox on Linux", "", "198.51.100.0"),
        ("curl", "", "192.0.2.0"),
    ]
    audited = await resources.audit_database["audit_events"].find({"action": "login.suspicious"}).to_list()
    assert len(audited) == 3
    [known] = await resources.database["known_places"].find({}).to_list()
    assert "203.0.113" not in str(known), "networks are hashed"


@pytest.mark.integration
async def test_sign_ins_at_once_from_one_new_device_are_told_once(bob, outside):
    await sign_in(bob, HOME)
    await asyncio.gather(*(sign_in(bob, HOME, SAFARI) for _ in range(8)))
    assert len(await suspicious(outside)) == 1


@pytest.mark.integration
async def test_what_was_not_used_for_long_is_new_again(bob, outside, resources):
    await sign_in(bob, HOME)
    await sign_in(bob, AWAY)
    known = resources.database["known_places"]
    [stored] = await known.find({}).to_list()
    assert timedelta(days=179) < stored["expires_at"] - now() <= timedelta(days=180)
    long_ago = now() - timedelta(days=181)
    await known.update_one({"places.1.seen_at": {"$exists": True}}, {"$set": {"places.1.seen_at": long_ago}})
    await sign_in(bob, HOME)
    assert [data["reason"] for data in await suspicious(outside)] == ["new_place", "new_place"]


@pytest.mark.integration
async def test_an_account_that_slept_for_long_is_not_a_new_one(bob, outside, resources):
    """Nothing is known of it any more: whoever comes now is told."""
    await resources.database["users"].update_many({}, {"$set": {"created_at": now() - timedelta(days=200)}})
    await sign_in(bob, HOME)
    assert [data["reason"] for data in await suspicious(outside)] == ["new_device_and_place"]


@pytest.mark.integration
async def test_not_more_than_a_few_are_remembered(bob, resources, monkeypatch):
    monkeypatch.setattr("grove_auth.places.service.KEPT", 3)
    for number in range(5):
        await sign_in(bob, f"10.0.{number}.1", f"client{number}/1.0")
    [known] = await resources.database["known_places"].find({}).to_list()
    assert (len(known["devices"]), len(known["places"])) == (1, 3), "clients that tell nothing are one device"


@pytest.mark.integration
async def test_with_a_database_a_place_is_a_city(bob, outside, database):
    await sign_in(bob, HOME)
    await sign_in(bob, AWAY)  # another network of the same city
    await sign_in(bob, FAR)
    [fact] = await suspicious(outside)
    assert (fact["reason"], fact["city"], fact["country"]) == ("new_place", None, "PT")
    [mail] = await alerts(outside)
    assert mail["variables"]["place"] == "PT"
    listed = (await bob.client.get(f"{AUTH}/sessions", headers=bob.headers)).json()["items"]
    assert [(item["city"], item["country"]) for item in listed] == [(None, "PT"), ("Berlin", "DE"), ("Berlin", "DE")]
    started = [event.data for event in await outside.events() if event.type == "auth.session.started.v1"]
    assert [(data["city"], data["country"]) for data in started] == [("Berlin", "DE"), ("Berlin", "DE"), (None, "PT")]


@pytest.mark.integration
async def test_a_database_that_comes_later_makes_no_place_new(bob, outside, resources, tmp_path, monkeypatch):
    await sign_in(bob, HOME)
    write(tmp_path / "places.mmdb", PLACES)
    monkeypatch.setattr(resources, "geo", GeoDatabase(tmp_path / "places.mmdb"))
    await sign_in(bob, HOME)
    await sign_in(bob, AWAY)
    assert await suspicious(outside) == []


def test_addresses_have_places(tmp_path):
    write(tmp_path / "places.mmdb", PLACES)
    geo = GeoDatabase(tmp_path / "places.mmdb")
    assert geo.place("203.0.113.7") == Place("Berlin", "DE")
    assert geo.place("192.0.2.9") == Place(None, "PT")
    assert geo.place("2001:db8:1::9") == Place("Köln", "DE")
    assert geo.place("192.0.2.200") == geo.place("2001:db8:2::1") == geo.place(None) == Place()
    geo.close()


def test_another_file_is_opened_when_it_takes_the_place_of_the_first(tmp_path):
    path = tmp_path / "places.mmdb"
    geo = GeoDatabase(path)
    assert geo.place(HOME) == Place(), "it may come later"
    write(path, PLACES)
    assert geo.place(HOME) == Place("Berlin", "DE")
    write(path, {"203.0.113.0/24": city("FR", "Lyon")})
    assert geo.place(HOME) == Place("Lyon", "FR")
    path.unlink()
    assert geo.place(HOME) == Place()


@pytest.mark.parametrize("content", [b"", b"not a database", b"\xab\xcd\xefMaxMind.com"])
def test_a_file_that_is_no_database_knows_no_place(tmp_path, content):
    (tmp_path / "places.mmdb").write_bytes(content)
    geo = GeoDatabase(tmp_path / "places.mmdb")
    assert geo.place(HOME) == Place()
    write(tmp_path / "places.mmdb", PLACES)
    assert geo.place(HOME) == Place("Berlin", "DE")


def test_a_record_of_another_shape_has_no_place(tmp_path):
    write(tmp_path / "places.mmdb", {"203.0.113.0/24": {"country": "DE", "city": {"names": ["Berlin"]}}})
    assert GeoDatabase(tmp_path / "places.mmdb").place(HOME) == Place()


def test_the_test_database_is_one_that_others_read_too(tmp_path):
    write(tmp_path / "places.mmdb", PLACES)
    for mode in (maxminddb.MODE_MMAP_EXT, maxminddb.MODE_MMAP):
        with maxminddb.open_database(tmp_path / "places.mmdb", mode) as reader:
            assert reader.metadata().node_count > 96
            assert reader.get(HOME)["city"]["names"]["en"] == "Berlin"
