"""What happens to a task is later each time, though the replica before had a clock that is ahead: feeds sort by it."""

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from grove.contracts.event import Envelope
from grove.core.clock import now, rfc3339
from grove_resource.models import Task
from grove_resource.tasks.purge import Purge

pytestmark = pytest.mark.integration
AHEAD = timedelta(seconds=2)


@pytest.fixture
def ahead(resources):
    """What is there was changed by a replica whose clock is ahead."""

    async def ahead(**values) -> None:
        async with resources.sessions.begin() as session:
            await session.execute(update(Task).values(updated_at=now() + AHEAD, **values))

    return ahead


@pytest.fixture
def told(resources):
    """The events of each task, in the order of their sequence."""

    async def told() -> dict[str, list[Envelope]]:
        async with resources.engine.connect() as connection:
            bodies = (await connection.execute(text("SELECT body FROM outbox"))).scalars()
            events = sorted((Envelope.model_validate_json(bytes(body)) for body in bodies), key=lambda e: e.sequence)
        return {task: [each for each in events if each.subject == task] for task in {e.subject for e in events}}

    return told


def rises(events: list[Envelope]) -> bool:
    times = [event.time for event in events]
    return times == sorted(set(times))


async def test_each_change_is_after_the_one_before(call, plant, ahead, told):
    task = await plant(tags=["home"])
    below = await plant(parent=task)
    await ahead()
    await call("PATCH", f"/{task}", {"title": "Another", "completed": True})
    await call("PATCH", f"/{task}/complete", {"completed": False})
    await call("DELETE", f"/{task}", status=204)
    await call("POST", f"/{task}/restore")
    await call("DELETE", f"/{task}?permanent=true", status=204)
    story = await told()
    kinds = [event.type.split(".")[2] for event in story[task]]
    assert kinds == ["created", "updated", "completed", "reopened", "deleted", "restored", "deleted"]
    assert [event.sequence for event in story[task]] == [1, 2, 3, 4, 5, 6, 7]
    assert rises(story[task])
    assert [event.type.split(".")[2] for event in story[below]] == ["created", "deleted", "restored", "deleted"]
    assert rises(story[below])
    for event in story[task] + story[below]:
        assert event.data[f"{event.type.split('.')[2]}_at"] == rfc3339(event.time), "the event's time is its fact's"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_tag_that_changes_changes_its_tasks_later(client, me, plant, ahead, told, method):
    task = await plant(tags=["home"])
    await ahead()
    before = now() + AHEAD / 2
    [tag] = (await client.get("/api/v1/tags", headers=me)).json()["items"]
    changed = await client.request(
        method,
        f"/api/v1/tags/{tag['id']}",
        json={"name": "house", "color": None} if method == "PUT" else None,
        headers=me,
    )
    assert changed.is_success, changed.text
    retagged = (await told())[task][-1]
    assert (retagged.sequence, retagged.time > before) == (2, True)


async def test_what_is_purged_goes_later_than_it_changed(resources, plant, call, ahead, told):
    task = await plant()
    await call("DELETE", f"/{task}", status=204)
    await ahead(deleted_at=now() - timedelta(days=31))
    before = now() + AHEAD / 2
    assert await Purge(resources.sessions, days=30).purge() == 1
    gone = (await told())[task][-1]
    assert (gone.data["permanent"], gone.time > before) == (True, True)
