"""Tasks over GraphQL are the tasks of REST."""

import base64
from uuid import UUID

import pytest

from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.postgres import outbox_types
from grove_resource.graphql.task_changes import CreateTaskInput, UpdateTaskInput
from grove_resource.graphql.tasks import TaskNode
from grove_resource.models import Share
from grove_resource.tasks.schemas import TaskCreate, TaskPatch, TaskRead

pytestmark = pytest.mark.integration

FIELDS = """id uuid userId title description completed completedAt dueAt priority tags parentId recurrence role
  isDeleted deletedAt createdAt updatedAt etag"""
TASK = f"query ($id: ID!) {{ task(id: $id) {{ {FIELDS} }} }}"
PAGE = """query ($first: Int! = 20, $after: String, $sort: String) { tasks(first: $first, after: $after, sort: $sort) {
  edges { cursor node { title } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
CREATE = "mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { uuid title etag } } }"
UPDATE = """mutation ($id: ID!, $input: UpdateTaskInput!, $ifMatch: String) {
  updateTask(id: $id, input: $input, ifMatch: $ifMatch) { task { title dueAt priority etag } } }"""


def snake(names) -> set[str]:
    return {"".join(f"_{char.lower()}" if char.isupper() else char for char in name) for name in names}


def test_graphql_has_every_field_that_rest_has():
    shown = {field.name for field in TaskNode.__strawberry_definition__.fields}
    assert shown - {"uuid", "etag", "parent", "subtasks"} == set(TaskRead.__dataclass_fields__)
    for given, model in ((CreateTaskInput, TaskCreate), (UpdateTaskInput, TaskPatch)):
        assert {field.name for field in given.__strawberry_definition__.fields} == set(model.model_fields)


async def test_a_task_is_as_in_rest(client, me, data, task):
    made = await task(due_at="2030-01-01T12:00:00+02:00", priority="high", tags=["home"], description="An oak")
    rest = await client.get(f"/api/v1/tasks/{made['id']}", headers=me)
    found = (await data(TASK, id=made["id"]))["task"]
    assert found.pop("etag") == rest.headers["etag"]
    assert base64.b64decode(found.pop("id")).decode() == f"task:{made['id']}"
    assert found.pop("uuid") == made["id"]
    assert (found.pop("priority"), found.pop("role")) == ("HIGH", "OWNER")
    expected = {key: value for key, value in rest.json().items() if key not in {"id", "priority", "role"}}
    assert dict(zip(snake(found), found, strict=True)).keys() == expected.keys()
    assert {next(iter(snake([key]))): value for key, value in found.items()} == expected


async def test_ids_are_global_or_plain_and_of_their_kind(data, refusal, task):
    made = await task()
    found = (await data(TASK, id=made["id"]))["task"]
    assert (await data(TASK, id=found["id"]))["task"] == found
    node = await data("query ($id: ID!) { node(id: $id) { id ... on Task { title } } }", id=found["id"])
    assert node == {"node": {"id": found["id"], "title": "Plant"}}
    for wrong in ("x", "", base64.b64encode(b"moment:" + made["id"].encode()).decode(), made["id"][:-1]):
        error = await refusal(TASK, id=wrong)
        assert (error["code"], error["details"][0]["field"], error["path"]) == ("VALIDATION_ERROR", "id", ["task"])


async def test_a_list_is_walked_by_its_cursors(data, task):
    for number in range(5):
        await task(f"Task {number}")
    seen, after = [], None
    while True:
        page = (await data(PAGE, first=2, after=after, sort="title"))["tasks"]
        edges, info = page["edges"], page["pageInfo"]
        seen += [edge["node"]["title"] for edge in edges]
        assert (info["startCursor"], info["endCursor"]) == (edges[0]["cursor"], edges[-1]["cursor"])
        assert info["hasPreviousPage"] is (after is not None)
        if not info["hasNextPage"]:
            break
        after = info["endCursor"]
    assert seen == [f"Task {number}" for number in range(5)]
    second = (await data(PAGE, first=5, sort="title"))["tasks"]["edges"][1]["cursor"]
    rest = (await data(PAGE, first=5, after=second, sort="title"))["tasks"]["edges"]
    assert [edge["node"]["title"] for edge in rest] == ["Task 2", "Task 3", "Task 4"]
    assert (await data(PAGE, first=1, after=seen and info["endCursor"], sort="title"))["tasks"]["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": True,
        "startCursor": None,
        "endCursor": None,
    }


async def test_the_filters_of_rest_are_there(data, task):
    mother = await task("Mother", priority="low", tags=["home"], due_at="2030-01-01T00:00:00Z")
    await task("Child", parent_id=mother["id"])
    done = await task("Done", completed=True, description="with words")
    queries = {
        "status: COMPLETED": ["Done"],
        'q: "words"': ["Done"],
        'tag: "HOME"': ["Mother"],
        "priority: LOW": ["Mother"],
        f'parentId: "{mother["id"]}"': ["Child"],
        'dueBefore: "2030-01-02T00:00:00Z"': ["Mother"],
        'dueAfter: "2030-01-02T00:00:00Z"': [],
        f'dateFrom: "{done["created_at"]}"': ["Done"],
        "shared: WITH_ME": [],
        'shared: MINE, sort: "title"': ["Child", "Done", "Mother"],
        "status: DELETED": [],
    }
    for arguments, titles in queries.items():
        found = (await data(f"{{ tasks({arguments}) {{ edges {{ node {{ title }} }} }} }}"))["tasks"]["edges"]
        assert [edge["node"]["title"] for edge in found] == titles, arguments


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ("first: 0", "first"),
        ("first: 101", "first"),
        ("first: -1", "first"),
        ('after: "x"', "after"),
        ('sort: "colour"', "sort"),
        ('tag: ""', "tag"),
        ('parentId: "x"', "parentId"),
    ],
)
async def test_bad_arguments_are_named(refusal, arguments, field):
    error = await refusal(f"{{ tasks({arguments}) {{ edges {{ node {{ title }} }} }} }}")
    assert (error["code"], error["status"], error["details"][0]["field"]) == ("VALIDATION_ERROR", 422, field)


async def test_parents_and_subtasks_take_one_statement_each(data, task, statements):
    mothers = [await task(f"Mother {number}") for number in range(5)]
    for mother in mothers:
        for number in range(3):
            await task(f"Child {number}", parent_id=mother["id"])
    with statements() as noted:
        found = await data("{ tasks(first: 15) { edges { node { title parent { title } } } } }")
    assert len(noted) == 2
    assert {edge["node"]["parent"]["title"] for edge in found["tasks"]["edges"]} == {f"Mother {n}" for n in range(5)}
    nested = """{ tasks(first: 5, sort: "created_at") { edges { node { title
      subtasks(first: 2) { edges { cursor node { title parentId } } pageInfo { hasNextPage endCursor } } } } } }"""
    with statements() as noted:
        found = await data(nested)
    assert len(noted) == 2
    for edge, mother in zip(found["tasks"]["edges"], mothers, strict=True):
        subtasks = edge["node"]["subtasks"]
        assert [each["node"]["title"] for each in subtasks["edges"]] == ["Child 2", "Child 1"]
        assert {each["node"]["parentId"] for each in subtasks["edges"]} == {mother["id"]}
        assert subtasks["pageInfo"]["hasNextPage"] is True
    after = subtasks["pageInfo"]["endCursor"]
    behind = await data(
        """query ($id: ID!, $after: String) { task(id: $id) { subtasks(first: 2, after: $after) {
          edges { node { title } } pageInfo { hasNextPage } } } }""",
        id=mothers[4]["id"],
        after=after,
    )
    assert behind["task"]["subtasks"] == {"edges": [{"node": {"title": "Child 0"}}], "pageInfo": {"hasNextPage": False}}


async def test_strangers_see_nothing(issuer, client, ask, data, refusal, task):
    mine = await task()
    stranger = issuer.headers(new_id())
    assert (await refusal(TASK, stranger, id=mine["id"]))["code"] == "FORBIDDEN"
    assert (await refusal(TASK, stranger, id=str(new_id())))["code"] == "RESOURCE_NOT_FOUND"
    node = "query ($id: ID!) { node(id: $id) { id } }"
    for uuid in (mine["id"], str(new_id())):
        assert await data(node, stranger, id=base64.b64encode(f"task:{uuid}".encode()).decode()) == {"node": None}
    assert (await data(PAGE, stranger))["tasks"]["edges"] == []
    assert (await refusal(UPDATE, stranger, id=mine["id"], input={"title": "Mine"}))["status"] == 403
    assert (await data(TASK, id=mine["id"]))["task"]["title"] == "Plant"


async def test_changes_are_those_of_rest(data, refusal, resources):
    made = await data(CREATE, input={"title": "  Plant ", "dueAt": "2030-01-01T12:00:00+02:00", "tags": ["Home"]})
    made = made["createTask"]["task"]
    assert made["title"] == "Plant"
    changed = await data(UPDATE, id=made["uuid"], input={"priority": "HIGH", "dueAt": None}, ifMatch=made["etag"])
    assert changed["updateTask"]["task"] | {"etag": ""} == {
        "title": "Plant",
        "dueAt": None,
        "priority": "HIGH",
        "etag": "",
    }
    late = await refusal(UPDATE, id=made["uuid"], input={"title": "Late"}, ifMatch=made["etag"])
    assert (late["code"], late["status"], late["path"]) == ("PRECONDITION_FAILED", 412, ["updateTask"])
    act = "mutation ($id: ID!) { %s }"
    done = await data(act % "completeTask(id: $id) { task { completed } }", id=made["uuid"])
    assert done["completeTask"]["task"]["completed"] is True
    await data(act % "completeTask(id: $id, completed: false) { task { completed } }", id=made["uuid"])
    gone = await data(act % "deleteTask(id: $id) { deletedId }", id=made["uuid"])
    assert base64.b64decode(gone["deleteTask"]["deletedId"]).decode() == f"task:{made['uuid']}"
    assert (await refusal(UPDATE, id=made["uuid"], input={"title": "Late"}))["code"] == "INVALID_STATE"
    back = await data(act % "restoreTask(id: $id) { task { isDeleted } }", id=made["uuid"])
    assert back["restoreTask"]["task"]["isDeleted"] is False
    await data(act % "deleteTask(id: $id, permanent: true) { deletedId }", id=made["uuid"])
    assert (await refusal(TASK, id=made["uuid"]))["code"] == "RESOURCE_NOT_FOUND"
    assert [name.split(".")[2] for name in await outbox_types(resources.engine)] == [
        "created",
        "updated",
        "completed",
        "reopened",
        "deleted",
        "restored",
        "deleted",
    ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"title": ""}, "input.title"),
        ({"title": "x" * 201}, "input.title"),
        ({"title": "a\u202eb"}, "input.title"),
        ({"title": "x", "tags": [""]}, "input.tags.0"),
        ({"title": "x", "completed": None}, "input.completed"),
        ({"title": "x", "parentId": "x"}, "input.parentId"),
    ],
)
async def test_bad_input_changes_nothing(data, refusal, resources, given, field):
    error = await refusal(CREATE, input=given)
    assert (error["code"], error["status"], error["details"][0]["field"]) == ("VALIDATION_ERROR", 422, field)
    assert (await data(PAGE))["tasks"]["edges"] == []
    assert await outbox_types(resources.engine) == []


async def test_a_share_covers_neither_what_is_above_nor_what_is_below(client, issuer, resources, data, task):
    bob = new_id()
    above = await task("Above")
    shared = await task("Shared", parent_id=above["id"])
    await task("Below", parent_id=shared["id"])
    async with resources.sessions.begin() as session:
        moment = now()
        ids = {"id": new_id(), "task_id": UUID(shared["id"]), "user_id": bob}
        session.add(Share(**ids, email="bob@x.example", role="editor", created_at=moment, updated_at=moment))
    query = "query ($id: ID!) { task(id: $id) { title parent { title } subtasks { edges { node { title } } } } }"
    seen = (await data(query, headers=issuer.headers(bob), id=shared["id"]))["task"]
    assert seen == {"title": "Shared", "parent": None, "subtasks": {"edges": []}}
    own = (await data(query, id=shared["id"]))["task"]
    assert (own["parent"], len(own["subtasks"]["edges"])) == ({"title": "Above"}, 1)
