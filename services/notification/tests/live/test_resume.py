"""Coming back: nothing is missed, nothing that was acknowledged is repeated, and no client disturbs another."""

import asyncio

import pytest

from grove.core.ids import new_id
from grove_notification.live import repository as repository_module

pytestmark = pytest.mark.integration


@pytest.fixture
def me():
    return new_id()


async def acked(replica, user, frame_id: str) -> None:
    """Wait until the store has an acknowledgement."""
    stream, _, position = frame_id.partition(".")
    async with asyncio.timeout(20):
        while await replica.resources.acks.last(user, stream) < int(position):
            await asyncio.sleep(0.01)


async def test_a_frame_of_any_type_can_be_resumed_from_on_another_replica(replica, start, connect, issuer, make, me):
    other = await start(live_ping_seconds=0.2)
    mine = issuer.headers(me)
    async with connect(replica.url, mine) as client:
        await client.frame("unread_count")
        await make(me, "A")
        assert await client.titles(1) == ["A"]
        after_count = client.last_id
        stream = after_count.split(".")[0]
        assert {frame["id"].split(".")[0] for frame in client.seen} == {stream}
    await make(me, "B", "C")
    async with connect(other.url, mine, query={"resume_from": after_count}) as client:
        assert await client.titles(2) == ["B", "C"]
        assert len(client.of("task.changed")) == 2
        after_ping = (await client.frame("ping"))["id"]
        assert after_ping.split(".")[0] != stream, "each connection has a name of its own"
    await make(me, "D")
    async with connect(replica.url, mine, query={"resume_from": after_ping}) as client:
        assert await client.titles(1) == ["D"]
    async with connect(replica.url, mine, query={"resume_from": after_count}) as client:
        assert await client.titles(3) == ["B", "C", "D"], "what was not acknowledged comes again"


async def test_browsers_say_by_a_header_where_they_were_and_that_is_newer_than_the_address(
    replica, connect, issuer, make, me
):
    mine = issuer.headers(me)
    async with connect(replica.url, mine) as client:
        first = (await client.frame("unread_count"))["id"]
        await make(me, "A")
        await client.titles(1)
        last = client.last_id
    await make(me, "B")
    async with connect(replica.url, mine | {"Last-Event-ID": last}, query={"resume_from": first}) as client:
        assert await client.titles(1) == ["B"]


async def test_what_was_acknowledged_is_not_repeated_however_old_the_place(
    replica, start, over_sockets, connect, issuer, make, me
):
    other = await start()
    mine = issuer.headers(me)
    async with over_sockets(replica.url, mine) as client:
        first = (await client.frame("unread_count"))["id"]
        await make(me, "A", "B", "C")
        frames = [await client.frame("notification") for _ in range(3)]
        await client.say(ack=frames[1]["id"])
        await acked(replica, me, frames[1]["id"])
        await client.say(ack=frames[0]["id"])  # late, and lower: it changes nothing
        await client.say(ack=first)
        renewed = issuer.token(me, jti="after the acknowledgements")
        await client.say(token=renewed)
        async with asyncio.timeout(20):
            while replica.only().principal.token_id != "after the acknowledgements":
                await asyncio.sleep(0.01)
    async with connect(other.url, mine, query={"resume_from": first}) as client:
        assert await client.titles(1) == ["C"]


async def test_an_acknowledgement_is_of_one_client_only(replica, over_sockets, issuer, make, me):
    mine = issuer.headers(me)
    async with over_sockets(replica.url, mine) as one, over_sockets(replica.url, mine) as two:
        first_of_one = (await one.frame("unread_count"))["id"]
        first_of_two = (await two.frame("unread_count"))["id"]
        assert first_of_one != first_of_two
        await make(me, "A", "B")
        await one.titles(2)
        await one.say(ack=one.last_id)
        await acked(replica, me, one.last_id)
    async with over_sockets(replica.url, mine, query={"resume_from": first_of_two}) as two:
        assert await two.titles(2) == ["A", "B"]
    async with over_sockets(replica.url, mine, query={"resume_from": first_of_one}) as one:
        assert await one.titles(0) == []


async def test_tabs_that_go_on_from_the_same_id_do_not_acknowledge_for_each_other(
    replica, over_sockets, issuer, make, me
):
    mine = issuer.headers(me)
    async with over_sockets(replica.url, mine) as before:
        given = {"resume_from": (await before.frame("unread_count"))["id"]}
        await make(me, "A", "B")
        await before.titles(2)
        await before.say(ack=before.of("notification")[0]["id"])
        await acked(replica, me, before.of("notification")[0]["id"])
    async with over_sockets(replica.url, mine, query=given) as one, over_sockets(replica.url, mine, query=given) as two:
        assert await one.titles(1) == ["B"]
        await one.say(ack=one.last_id)
        await acked(replica, me, one.last_id)
        mine_still = (await two.next())["id"]
    async with over_sockets(replica.url, mine, query=given) as three:
        assert await three.titles(1) == ["B"], "one's acknowledgement is one's own"
        assert three.last_id.split(".")[0] != mine_still.split(".")[0]


async def test_a_notification_is_looked_for_among_the_newest_frames(
    replica, connect, client, issuer, make, write, me, monkeypatch
):
    monkeypatch.setattr(repository_module, "NEWEST", 5)
    mine = issuer.headers(me)
    await make(me, "A", "B")
    old, new = (await client.get("/api/v1/notifications?sort=-created_at", headers=mine)).json()["items"][::-1]
    await write(me, 1, 2, 3)
    async with connect(replica.url, mine, query={"resume_from": new["id"]}) as stream:
        assert await stream.numbers(3) == [1, 2, 3]
        assert not stream.of("reset")
    async with connect(replica.url, mine, query={"resume_from": old["id"]}) as stream:
        await stream.frame("reset")


async def test_a_client_that_loaded_the_list_goes_on_from_its_newest(replica, connect, client, issuer, make, me):
    mine = issuer.headers(me)
    await make(me, "A", "B", "C")
    items = (await client.get("/api/v1/notifications?sort=created_at", headers=mine)).json()["items"]
    async with connect(replica.url, mine, query={"resume_from": items[0]["id"]}) as stream:
        assert await stream.titles(2) == ["B", "C"]
        await make(me, "D")
        assert await stream.titles(1) == ["D"]


async def test_who_says_nothing_begins_now(replica, connect, issuer, make, me):
    await make(me, "A")
    async with connect(replica.url, issuer.headers(me)) as client:
        assert await client.titles(0) == []
        await make(me, "B")
        assert await client.titles(1) == ["B"]


async def test_a_long_absence_is_read_in_pages(replica, connect, issuer, make, me):
    titles = [f"T{n}" for n in range(120)]
    mine = issuer.headers(me)
    async with connect(replica.url, mine) as client:
        first = (await client.frame("unread_count"))["id"]
    await make(me, *titles)
    async with connect(replica.url, mine, query={"resume_from": first}) as client:
        assert await client.titles(120) == titles
        assert len(client.of("task.changed")) == 120
        await make(me, "Last")
        assert await client.titles(1) == ["Last"]


@pytest.mark.parametrize("place", ["of another's notification", "of no notification", "beyond the end"])
async def test_a_place_that_is_not_known_is_told_by_a_reset_and_nothing_else(
    replica, connect, client, issuer, make, me, place
):
    stranger = new_id()
    await make(stranger, *"ABCDE")
    await make(me, "Mine")
    theirs = (await client.get("/api/v1/notifications", headers=issuer.headers(stranger))).json()["items"][0]["id"]
    given = {
        "of another's notification": theirs,
        "of no notification": str(new_id()),
        "beyond the end": "AAAAAAAAAAAA.9",
    }[place]
    async with connect(replica.url, issuer.headers(me), query={"resume_from": given}) as stream:
        assert (await stream.frame("reset"))["data"] == {}
        assert (await stream.frame("unread_count"))["data"] == {"count": 1}
        assert not stream.of("notification")
        await make(me, "Next")
        assert await stream.titles(1) == ["Next"]
        resumed_from = stream.last_id
    async with connect(replica.url, issuer.headers(me), query={"resume_from": resumed_from}) as stream:
        assert await stream.titles(0) == []
        assert not stream.of("reset")


async def test_anothers_place_within_ones_own_stream_tells_ones_own_only(
    replica, over_sockets, connect, issuer, make, me
):
    stranger = new_id()
    async with over_sockets(replica.url, issuer.headers(stranger)) as theirs:
        await theirs.frame("unread_count")
        await make(stranger, "Theirs")
        await theirs.titles(1)
        await theirs.say(ack=theirs.last_id)
        await acked(replica, stranger, theirs.last_id)
        given = theirs.seen[0]["id"]
    await make(me, "Mine")
    async with connect(replica.url, issuer.headers(me), query={"resume_from": given}) as stream:
        assert await stream.titles(1) == ["Mine"], "their acknowledgement counts for them alone"
