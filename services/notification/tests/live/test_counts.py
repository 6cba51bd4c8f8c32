"""How many are unread: told when it changed, also when the word of it was lost, and never so often that it slows."""

import asyncio

import pytest

from grove.core.ids import new_id
from grove_notification.live import hub as hub_module
from grove_notification.live import states as states_module
from grove_notification.live import subscriber as subscriber_module
from grove_notification.live.hub import catch_up
from grove_notification.live.repository import State
from grove_notification.live.states import States
from grove_notification.live.stream import COUNT, Frame, collect
from grove_notification.live.stream import write as write_collected

pytestmark = pytest.mark.integration
URL = "/api/v1/notifications"


@pytest.fixture
def me():
    return new_id()


@pytest.fixture
def pushes_lost(resources, monkeypatch):
    """As when the process ends between its commit and its push."""

    async def lost(_) -> None:
        return

    monkeypatch.setattr(resources.push, "send", lost)
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", 3600)


@pytest.fixture
def change(resources):
    """How many are unread is another number: await change(user)."""

    async def change(user, *, push: bool = True) -> None:
        async with resources.sessions.begin() as session:
            frame = collect(session, Frame(user, COUNT, {}))
            await write_collected(session)
        if push:
            await resources.push.send(frame)

    return change


@pytest.mark.parametrize("how", ["one", "some", "all", "deleted"])
async def test_a_count_whose_push_was_lost_is_made_good(replica, connect, client, issuer, make, me, pushes_lost, how):
    mine = issuer.headers(me)
    await make(me, "A", "B")
    (newest, _) = (await client.get(URL, headers=mine)).json()["items"]
    async with connect(replica.url, mine) as tab:
        await tab.counted(2)
        if how == "one":
            await client.put(f"{URL}/{newest['id']}", json={"is_read": True}, headers=mine)
        elif how == "some":
            await client.delete(f"{URL}?notification_ids={newest['id']}", headers=mine)
        elif how == "all":
            await client.put(f"{URL}/mark-all-read", headers=mine)
        else:
            await client.delete(f"{URL}/{newest['id']}", headers=mine)
        catch_up(await replica.hub.behind())
        await tab.counted(0 if how == "all" else 1)
        assert {frame["type"] for frame in tab.seen} <= {"unread_count", "ping"}, "the frame itself is not for clients"


async def test_what_changes_nothing_writes_no_frame(replica, connect, client, issuer, make, me):
    mine = issuer.headers(me)
    await make(me, "A")
    (item,) = (await client.get(URL, headers=mine)).json()["items"]
    before = await replica.hub.states.of(me)
    await client.put(f"{URL}/{item['id']}", json={"is_read": False}, headers=mine)
    await client.delete(f"{URL}?notification_ids={new_id()}", headers=mine)
    assert (await client.delete(f"{URL}/{new_id()}", headers=mine)).status_code == 404
    assert await replica.hub.states.of(me) == before
    await client.put(f"{URL}/mark-all-read", headers=mine)
    after = await replica.hub.states.of(me)
    assert (after.position, after.unread) == (before.position + 1, 0)
    await client.put(f"{URL}/mark-all-read", headers=mine)
    assert await replica.hub.states.of(me) == after


async def test_counts_go_out_while_they_change_all_the_time(replica, connect, issuer, change, me, monkeypatch):
    """Another change arrives while each is being counted."""
    of = replica.hub.states.of

    async def meanwhile_changed(user_id) -> State:
        state = await of(user_id)
        if list(replica.hub):
            await change(user_id)
            async with asyncio.timeout(20):
                while replica.only().subscriber._newest <= state.position:
                    await asyncio.sleep(0.01)
        return state

    monkeypatch.setattr(replica.hub.states, "of", meanwhile_changed)
    async with connect(replica.url, issuer.headers(me)) as client:
        for _ in range(5):
            await client.counted(0)


async def test_a_connection_has_its_unread_counted_once_in_a_while(
    replica, connect, issuer, change, write, me, monkeypatch
):
    monkeypatch.setattr(subscriber_module, "COUNT_SECONDS", 3600)
    of, asked = replica.hub.states.of, []

    async def heard(user_id) -> State:
        asked.append(user_id)
        return await of(user_id)

    monkeypatch.setattr(replica.hub.states, "of", heard)
    async with connect(replica.url, issuer.headers(me)) as client:
        await client.counted(0)  # as it began
        await change(me)
        await client.counted(0)
        for number in range(5):
            await change(me)
            (frame,) = await write(me, number)
            await replica.resources.push.send(frame)
            await client.numbers(1)
        assert len(asked) == 2
        assert len(client.of("unread_count")) == 2
        replica.only().subscriber._count_at = 0  # that while later
        replica.only().subscriber.ping()
        await client.counted(0)
        assert len(asked) == 3


async def test_who_has_very_many_unread_holds_up_nobody_else(monkeypatch):
    rich, counting, may_count = new_id(), asyncio.Event(), asyncio.Event()
    asked: list[set] = []

    async def states(_, users):
        asked.append(set(users))
        if rich in users:
            counting.set()
            await may_count.wait()
        return {user: State(1, states_module.MANY if user is rich else 3) for user in users}

    monkeypatch.setattr(states_module, "states", states)
    found = States(None)
    may_count.set()
    assert (await found.of(rich)).unread == states_module.MANY
    may_count.clear()
    others = [new_id() for _ in range(20)]
    slow = asyncio.create_task(found.of(rich))
    await counting.wait()
    async with asyncio.timeout(20):
        assert await asyncio.gather(*map(found.of, others)) == [State(1, 3)] * 20
    assert not slow.done()
    may_count.set()
    await slow
    assert asked == [{rich}, {rich}, set(others)]
