"""The list of one's own tasks and those of others, against a model of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grove.core.ids import new_id
from grove_resource.models import Share, Task

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"
START = datetime(2030, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
KINDS = ["mine", "with_me", "neither"]
KEYS = {
    "created_at": lambda task: task.created_at,
    "updated_at": lambda task: task.updated_at,
    "due_at": lambda task: task.due_at or NEVER,
    "priority": lambda task: task.priority,
    "title": lambda task: task.title.lower(),
}


@dataclass
class Drawn:
    """A task to be: whose, and few different values, so that many are equal."""

    kind: str
    created: int
    due: int | None
    priority: int
    title: str
    deleted: bool


DRAWN = st.builds(
    Drawn,
    kind=st.sampled_from(KINDS),
    created=st.integers(0, 3),
    due=st.none() | st.integers(0, 2),
    priority=st.integers(0, 3),
    title=st.sampled_from(["a", "B", "c"]),
    deleted=st.booleans(),
)
SORTS = st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=2, unique=True).flatmap(
    lambda keys: st.tuples(*(st.sampled_from([key, f"-{key}"]) for key in keys)).map(",".join)
)
QUERIES = st.fixed_dictionaries(
    {"sort": SORTS, "size": st.integers(1, 4)},
    optional={"shared": st.sampled_from(["mine", "with_me"]), "include_deleted": st.just("true")},
)


def row(drawn: Drawn, me: UUID) -> list[Task | Share]:
    moment = START + timedelta(hours=drawn.created)
    task = Task(
        id=new_id(),
        user_id=me if drawn.kind == "mine" else new_id(),
        title=drawn.title,
        description="",
        due_at=None if drawn.due is None else START + timedelta(hours=drawn.due),
        priority=drawn.priority,
        tags=[],
        deleted_at=moment if drawn.deleted else None,
        created_at=moment,
        updated_at=moment,
        version=1,
    )
    share = Share(
        id=new_id(),
        task_id=task.id,
        email="me@example.com",
        user_id=me if drawn.kind == "with_me" else None,
        role="viewer",
        version=1,
        created_at=moment,
        updated_at=moment,
    )
    return [task] if drawn.kind == "mine" else [task, share]


def wanted(tasks: list[tuple[str, Task]], query: dict) -> list[str]:
    """Ids in the order of the query."""
    kinds = {query["shared"]} if "shared" in query else {"mine", "with_me"}
    found = [task for kind, task in tasks if kind in kinds and (task.deleted_at is None or "include_deleted" in query)]
    keys = query["sort"].split(",")
    found.sort(key=lambda task: task.id, reverse=keys[-1].startswith("-"))
    for key in reversed(keys):
        found.sort(key=KEYS[key.lstrip("-")], reverse=key.startswith("-"))
    return [str(task.id) for task in found]


@pytest.fixture
def store(resources):
    """Write tasks; which, with their kinds."""

    async def store(drawn: list[Drawn], me: UUID) -> list[tuple[str, Task]]:
        rows = [row(each, me) for each in drawn]
        async with resources.sessions.begin() as session:
            session.add_all(rows_of[0] for rows_of in rows)
            await session.flush()
            session.add_all(share for rows_of in rows for share in rows_of[1:])
        return [(each.kind, rows_of[0]) for each, rows_of in zip(drawn, rows, strict=True)]

    return store


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(DRAWN, max_size=12), query=QUERIES)
async def test_numbered_pages_are_the_model(client, issuer, store, drawn, query):
    me = new_id()
    ids, headers = wanted(await store(drawn, me), query), issuer.headers(me)
    seen, size = [], query["size"]
    for page in range(1, len(ids) // size + 2):
        answer = (await client.get(TASKS, params=query | {"page": page}, headers=headers)).json()
        assert (answer["total"], answer["pages"]) == (len(ids), -(-len(ids) // size))
        seen += [item["id"] for item in answer["items"]]
    assert seen == ids


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(DRAWN, max_size=12), query=QUERIES, arriving=st.lists(DRAWN, min_size=1, max_size=4))
async def test_a_walk_has_every_task_once_and_in_order_while_others_arrive(
    client, issuer, store, drawn, query, arriving
):
    me = new_id()
    before, headers, late = await store(drawn, me), issuer.headers(me), []
    seen, cursor = [], ""
    while cursor is not None:
        answer = (await client.get(TASKS, params=query | {"cursor": cursor}, headers=headers)).json()
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is not None and len(late) < len(arriving):
            late += await store([arriving[len(late)]], me)
    assert len(seen) == len(set(seen))
    there_before = set(wanted(before, query))
    assert [task_id for task_id in seen if task_id in there_before] == wanted(before, query)
    order = wanted(before + late, query)
    assert seen == [task_id for task_id in order if task_id in set(seen)]
