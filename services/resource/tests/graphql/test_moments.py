"""Activities and moments over GraphQL are those of REST."""

import base64

import pytest

from grove.core.ids import new_id
from grove.testing.postgres import outbox_types
from grove_resource.activities.schemas import ActivityCreate, ActivityPatch, ActivityRead
from grove_resource.graphql import moment_changes as changes
from grove_resource.graphql.activities import ActivityNode, MomentNode
from grove_resource.moments.schemas import MomentCreate, MomentPatch, MomentRead

pytestmark = pytest.mark.integration

SCHEMA = {
    "type": "object",
    "properties": {"km": {"type": "number"}, "route": {"type": "object", "properties": {"start": {"type": "string"}}}},
    "required": ["km"],
}
ACTIVITY = "id uuid name description dataSchema version createdAt updatedAt etag"
MOMENT = "id uuid activityId schemaVersion occurredAt data createdAt updatedAt etag"
CREATE = f"mutation ($input: CreateActivityInput!) {{ createActivity(input: $input) {{ activity {{ {ACTIVITY} }} }} }}"
LOG = f"mutation ($input: LogMomentInput!) {{ logMoment(input: $input) {{ moment {{ {MOMENT} }} }} }}"


@pytest.fixture
def activity(data):
    async def activity(name="Running", schema=SCHEMA, headers=None):
        return (await data(CREATE, headers, input={"name": name, "dataSchema": schema}))["createActivity"]["activity"]

    return activity


@pytest.fixture
def log(data):
    async def log(activity, km, day=1, headers=None, **more):
        given = {"activityId": activity["id"], "occurredAt": f"2026-05-{day:02}T07:30:00Z", "data": {"km": km} | more}
        return (await data(LOG, headers, input=given))["logMoment"]["moment"]

    return log


def snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def test_graphql_has_every_field_that_rest_has():
    for node, read, more in ((ActivityNode, ActivityRead, {"moments"}), (MomentNode, MomentRead, {"activity"})):
        shown = {field.name for field in node.__strawberry_definition__.fields}
        assert shown - {"uuid", "etag"} - more == set(read.__dataclass_fields__)
    for given, model in (
        (changes.CreateActivityInput, ActivityCreate),
        (changes.UpdateActivityInput, ActivityPatch),
        (changes.LogMomentInput, MomentCreate),
        (changes.UpdateMomentInput, MomentPatch),
    ):
        assert {field.name for field in given.__strawberry_definition__.fields} == set(model.model_fields)


async def test_they_are_as_in_rest(client, me, data, activity, log):
    made = await activity()
    logged = await log(made, 7.5, route={"start": "Home"})
    for kind, found, fields in (("activities", made, ACTIVITY), ("moments", logged, MOMENT)):
        rest = await client.get(f"/api/v1/{kind}/{found['uuid']}", headers=me)
        one = {"activities": "activity", "moments": "moment"}[kind]
        assert (await data(f"query ($id: ID!) {{ {one}(id: $id) {{ {fields} }} }}", id=found["id"]))[one] == found
        shown = {snake(name): value for name, value in found.items()}
        assert shown.pop("etag") == rest.headers["etag"]
        assert shown.pop("uuid") == rest.json()["id"]
        assert base64.b64decode(shown.pop("id")).decode() == f"{one}:{found['uuid']}"
        assert shown == {key: value for key, value in rest.json().items() if key != "id"}
        node = await data("query ($id: ID!) { node(id: $id) { __typename id } }", id=found["id"])
        assert node["node"] == {"__typename": one.capitalize(), "id": found["id"]}


async def test_json_is_an_object_in_documents_and_in_variables(ask, data, activity, refusal):
    made = await activity()
    document = """mutation ($id: ID!) { logMoment(input: {
      activityId: $id, occurredAt: "2026-05-01T07:30:00+02:00",
      data: {km: 3, route: {start: "Home"}, x: [1, null, true]}
    }) { moment { data occurredAt } } }"""
    found = await data(document, id=made["id"])
    moment = found["logMoment"]["moment"]
    assert moment == {
        "data": {"km": 3, "route": {"start": "Home"}, "x": [1, None, True]},
        "occurredAt": "2026-05-01T05:30:00Z",
    }
    given = {"activityId": made["id"], "occurredAt": "2026-05-01T07:30:00Z"}
    for wrong in ('{"km": 3}', [1], 3):
        answer = await ask(LOG, input=given | {"data": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    error = await refusal(LOG, input=given | {"data": {"km": "far"}})
    assert (error["code"], error["status"]) == ("VALIDATION_ERROR", 422)
    assert {"field": "input.data", "pointer": "/km"}.items() <= error["details"][0].items()
    huge = await refusal(
        'mutation ($id: ID!) { logMoment(input: {activityId: $id, occurredAt: "2026-05-01T07:30:00Z",'
        " data: {km: 1e400}}) { moment { id } } }",
        id=made["id"],
    )
    assert huge["code"] == "VALIDATION_ERROR"


async def test_twenty_moments_with_their_activities_are_two_statements(data, activity, log, statements):
    made = [await activity(f"Activity {number}") for number in range(4)]
    for number in range(20):
        await log(made[number % 4], number, day=number + 1)
    with statements() as noted:
        found = await data("{ moments { edges { node { data activity { name } } } } }")
    assert len(noted) == 2
    assert [edge["node"]["data"]["km"] for edge in found["moments"]["edges"]] == list(reversed(range(20)))
    for edge in found["moments"]["edges"]:
        assert edge["node"]["activity"]["name"] == f"Activity {edge['node']['data']['km'] % 4}"
    with statements() as noted:
        found = await data(
            """{ activities(sort: "name") { edges { node { name
              moments(first: 3) { edges { cursor node { data } } pageInfo { hasNextPage endCursor } } } } } }"""
        )
    assert len(noted) == 2
    for number, edge in enumerate(found["activities"]["edges"]):
        moments = edge["node"]["moments"]
        assert [each["node"]["data"]["km"] for each in moments["edges"]] == [16 + number, 12 + number, 8 + number]
        assert moments["pageInfo"]["hasNextPage"] is True
    rest = await data(
        """query ($id: ID!, $after: String) { activity(id: $id) { moments(first: 3, after: $after) {
          edges { node { data } } pageInfo { hasNextPage } } } }""",
        id=made[3]["id"],
        after=moments["pageInfo"]["endCursor"],
    )
    assert [each["node"]["data"]["km"] for each in rest["activity"]["moments"]["edges"]] == [7, 3]
    assert rest["activity"]["moments"]["pageInfo"]["hasNextPage"] is False


async def test_the_filters_of_rest_are_there(data, refusal, activity, log):
    run, swim = await activity(), await activity("Swimming")
    for km in range(1, 5):
        await log(run, km, day=km, route={"start": f"Place {km}"})
    await log(swim, 1, day=10)
    span = f'activityId: "{run["uuid"]}", occurredFrom: "2026-05-01T00:00:00Z", occurredTo: "2026-05-04T00:00:00Z"'
    for arguments, expected in {
        span: [3, 2, 1],
        f'{span}, sort: "occurred_at"': [1, 2, 3],
        f'activityId: "{swim["id"]}"': [1],
        'data: [{path: "km", equals: "1"}]': [1, 1],
        'data: [{path: "km", equals: "1"}, {path: "route.start", equals: "Place 1"}]': [1],
        f'{span}, data: [{{path: "km", gte: "2", lte: "2.5"}}]': [2],
    }.items():
        found = (await data(f"{{ moments({arguments}) {{ edges {{ node {{ data }} }} }} }}"))["moments"]["edges"]
        assert [edge["node"]["data"]["km"] for edge in found] == expected, arguments
    for arguments, name in {
        'data: [{path: "km", gte: "2"}]': "activityId",
        'data: [{path: "", equals: "2"}]': "data",
        "data: [" + '{path: "a", equals: "1"}, ' * 2 + "]": "data",
    }.items():
        error = await refusal(f"{{ moments({arguments}) {{ edges {{ cursor }} }} }}")
        assert (error["code"], error["details"][0]["field"]) == ("VALIDATION_ERROR", name)


async def test_changes_are_those_of_rest(data, refusal, resources, activity, log):
    made = await activity()
    moment = await log(made, 5)
    change = f"""mutation ($id: ID!, $input: UpdateActivityInput!, $ifMatch: String, $revalidate: Boolean! = false) {{
      updateActivity(id: $id, input: $input, ifMatch: $ifMatch, revalidate: $revalidate) {{
        activity {{ {ACTIVITY} }} }} }}"""
    strict = SCHEMA | {"properties": {"km": {"type": "number", "maximum": 3}}}
    error = await refusal(change, id=made["id"], input={"dataSchema": strict}, revalidate=True)
    assert (error["code"], error["status"]) == ("CONFLICT", 409)
    renamed = await data(change, id=made["id"], input={"name": "Jogging", "dataSchema": strict}, ifMatch=made["etag"])
    renamed = renamed["updateActivity"]["activity"]
    assert (renamed["name"], renamed["version"], renamed["dataSchema"]) == ("Jogging", 2, strict)
    assert (await refusal(change, id=made["id"], input={"name": "X"}, ifMatch=made["etag"]))["status"] == 412
    assert (await refusal(change, id=made["id"], input={"name": None}))["details"][0]["field"] == "input.name"
    move = f"""mutation ($id: ID!, $input: UpdateMomentInput!, $ifMatch: String) {{
      updateMoment(id: $id, input: $input, ifMatch: $ifMatch) {{ moment {{ {MOMENT} }} }} }}"""
    moved = await data(move, id=moment["id"], input={"data": {"km": 6}}, ifMatch=moment["etag"])
    assert moved["updateMoment"]["moment"]["data"] == {"km": 6}
    assert (await refusal(move, id=moment["id"], input={"data": {}}, ifMatch=moment["etag"]))["status"] == 412
    act = "mutation ($id: ID!) { %s(id: $id) { deletedId } }"
    assert await data(act % "deleteMoment", id=moment["uuid"]) == {"deleteMoment": {"deletedId": moment["id"]}}
    assert (await refusal(act % "deleteMoment", id=moment["uuid"]))["code"] == "RESOURCE_NOT_FOUND"
    assert await data(act % "deleteActivity", id=made["id"]) == {"deleteActivity": {"deletedId": made["id"]}}
    assert [name.split(".", 1)[1] for name in await outbox_types(resources.engine)] == [
        "activity.created.v1",
        "moment.logged.v1",
        "activity.updated.v1",
        "moment.updated.v1",
        "moment.deleted.v1",
        "activity.deleted.v1",
    ]


async def test_changes_of_one_request_see_one_another(ask, activity, log):
    """Also what one of them changes in rows that another one holds, as one that failed does."""
    made = await activity()
    moment = await log(made, 2)
    looser = SCHEMA | {"required": []}
    answer = await ask(
        """mutation ($a: ID!, $m: ID!, $one: JSON!, $schema: JSON!, $two: JSON!) {
          refused: updateMoment(id: $m, input: {data: $two}) { moment { id } }
          one: updateMoment(id: $m, input: {data: $one}) { moment { schemaVersion data activity { version } } }
          again: updateMoment(id: $m, input: {data: $two}) { moment { id } }
          schema: updateActivity(id: $a, input: {dataSchema: $schema}, revalidate: true) {
            activity { version moments { edges { node { schemaVersion data } } } } }
          two: updateMoment(id: $m, input: {data: $two}) {
            moment { schemaVersion data etag activity { version } } } }""",
        a=made["id"],
        m=moment["id"],
        one={"km": 3},
        schema=looser,
        two={},
    )
    found = answer.json()["data"]
    assert [error["path"] for error in answer.json()["errors"]] == [["refused"], ["again"]]
    assert found["one"]["moment"] == {"schemaVersion": 1, "data": {"km": 3}, "activity": {"version": 1}}
    assert found["schema"]["activity"] == {
        "version": 2,
        "moments": {"edges": [{"node": {"schemaVersion": 2, "data": {"km": 3}}}]},
    }
    etag = found["two"]["moment"].pop("etag")
    assert found["two"]["moment"] == {"schemaVersion": 2, "data": {}, "activity": {"version": 2}}
    assert etag.endswith('-4"')


async def test_strangers_see_nothing(issuer, data, refusal, activity, log):
    made = await activity()
    moment = await log(made, 1)
    other = issuer.headers(new_id())
    for one, found in (("activity", made), ("moment", moment)):
        query = f"query ($id: ID!) {{ {one}(id: $id) {{ id }} }}"
        assert (await refusal(query, other, id=found["id"]))["code"] == "RESOURCE_NOT_FOUND"
        assert await data("query ($id: ID!) { node(id: $id) { id } }", other, id=found["id"]) == {"node": None}
    assert (await data("{ activities { edges { cursor } } moments { edges { cursor } } }", other)) == {
        "activities": {"edges": []},
        "moments": {"edges": []},
    }
    given = {"activityId": made["id"], "occurredAt": "2026-05-01T07:30:00Z", "data": {"km": 1}}
    assert (await refusal(LOG, other, input=given))["code"] == "RESOURCE_NOT_FOUND"


async def test_each_field_needs_the_scope_of_its_route(issuer, refusal, ask, activity):
    user = new_id()
    made = await activity(headers=issuer.headers(user))
    for scope, queries in {
        "moments:write": [
            "{ activities { edges { cursor } } }",
            "{ moments { edges { cursor } } }",
            '{ moment(id: "x") { id } }',
        ],
        "moments:read": [CREATE, LOG],
    }.items():
        headers = issuer.headers(user, scope=scope)
        for query in queries:
            given = {"name": "X", "dataSchema": {}}
            if query == LOG:
                given = {"activityId": made["id"], "occurredAt": "2026-05-01T07:30:00Z", "data": {"km": 1}}
            error = await refusal(query, headers, **({"input": given} if "input" in query else {}))
            assert (error["code"], error["status"]) == ("FORBIDDEN", 403), query
    writer = issuer.headers(user, scope="moments:write")
    change = (
        "mutation ($id: ID!) { updateActivity(id: $id, input: {}) { activity { name moments { edges { cursor } } } } }"
    )
    answer = (await ask(change, writer, id=made["id"])).json()
    assert answer["data"]["updateActivity"]["activity"] == {"name": "Running", "moments": None}
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
