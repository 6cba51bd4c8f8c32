"""How users choose to be told, through the whole suite."""

import asyncio
import json
from datetime import UTC, datetime, timedelta


async def frames_until(live, kind: str) -> list[dict]:
    """All frames up to the first of a kind."""
    found = []
    async with asyncio.timeout(15):
        while not found or found[-1]["type"] != kind:
            found.append(json.loads(await live.socket.recv()))
    return found


def quiet_now() -> dict[str, str]:
    """Quiet hours around the present moment, by the clock of UTC."""
    moment = datetime.now(UTC)
    return {"start": f"{moment - timedelta(hours=1):%H:%M}", "end": f"{moment + timedelta(hours=1):%H:%M}"}


async def choose(person, **changes) -> None:
    chosen = {"types": {}, "quiet_hours": None, "digest": {"frequency": "off"}} | changes
    answer = await person.call("PUT", "/notification-preferences", json=chosen)
    assert answer.status_code == 200, answer.text


async def create(person, title: str) -> str:
    answer = await person.call("POST", "/tasks", json={"title": title})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def test_a_type_that_is_switched_off_is_not_told_but_open_lists_follow(ada):
    await choose(ada, types={"TASK_CREATED": {"in_app": False, "email": False, "webhook": True}})
    async with ada.live() as live:
        await frames_until(live, "unread_count")
        task = await create(ada, "Quietly")
        [changed] = [frame for frame in await frames_until(live, "task.changed") if frame["type"] != "ping"]
        assert (changed["data"]["id"], changed["data"]["change"]) == (task, "created")
        await ada.call("PATCH", f"/tasks/{task}/complete")
        told = (await frames_until(live, "notification"))[-1]
        assert told["data"]["type"] == "TASK_COMPLETED"
    assert await ada.notified_tasks("TASK_CREATED") == []


async def test_quiet_hours_hold_frames_back_until_they_end(ada, wait_until):
    async def sign_in_told() -> bool:
        return len(await ada.notified_tasks("LOGIN")) == 1

    await wait_until(sign_in_told, 15)
    await choose(ada, quiet_hours=quiet_now())
    async with ada.live() as live:
        await frames_until(live, "unread_count")
        task = await create(ada, "At night")

        async def listed() -> bool:
            return await ada.notified_tasks() == [task]

        await wait_until(listed, 15)
        unread = (await ada.call("GET", "/notifications/unread/count")).json()["count"]
        while (await frames_until(live, "unread_count"))[-1]["data"]["count"] != unread:
            continue
        await choose(ada)
        seen = await frames_until(live, "notification")
        assert seen[-1]["data"]["task_id"] == task
        assert [frame for frame in seen if frame["type"] == "notification"] == [seen[-1]]


async def test_a_digest_collects_what_would_be_many_mails(ada, wait_until):
    own = {"TASK_CREATED": {"in_app": True, "email": True, "webhook": True}}
    await choose(ada, types=own, digest={"frequency": "daily", "at": f"{datetime.now(UTC) - timedelta(hours=1):%H:%M}"})
    made = [await create(ada, f"T{number}") for number in range(3)]

    async def told() -> bool:
        return set(made) <= set(await ada.notified_tasks())

    async def templates() -> list[str]:
        return [mail["template"] for mail in (await ada.call("GET", "/emails")).json()["items"]]

    await wait_until(told, 15)
    assert not {"notification", "digest"} & set(await templates())
    await choose(ada, types=own)  # who wants no digests any more gets the open one at once

    async def mailed() -> bool:
        return (await templates()).count("digest") == 1

    await wait_until(mailed, 15)
    assert "notification" not in await templates()
