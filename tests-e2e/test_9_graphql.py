"""GraphQL, search and the archive through the edge: one user's day, seen in three ways."""

from typing import Any

CREATE = """mutation ($schema: JSON!) {
  task: createTask(input: {title: "Mend the fence", tags: ["garden"]}) { task { uuid etag } }
  activity: createActivity(input: {name: "Running", dataSchema: $schema}) { activity { uuid } } }"""
LOG = """mutation ($id: ID!) {
  logMoment(input: {activityId: $id, occurredAt: "2026-05-01T07:30:00Z", data: {km: 5, note: "along the fence"}}) {
    moment { uuid activity { name moments { edges { node { data } } } } } }
  updateProfile(input: {name: "Ada of the journey", bio: "Runs"}) { profile { name } } }"""
DAY = """{ profile { name } tasks(tag: "garden") { edges { node { title role } } pageInfo { hasNextPage } }
  moments { edges { node { data activity { name } } } } }"""
SCHEMA = {"type": "object", "properties": {"km": {"type": "number"}}, "required": ["km"]}


async def asked(suite, ada, query: str, **variables) -> dict[str, Any]:
    """What a document answers without any error."""
    answer = await ada.client.post(
        f"{suite.file['api_url']}/graphql", json={"query": query, "variables": variables}, headers=ada.headers
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert "errors" not in answer.json(), answer.text
    return answer.json()["data"]


async def test_a_day_by_graphql_is_found_and_archived(suite, ada, wait_until):
    made = await asked(suite, ada, CREATE, schema=SCHEMA)
    task, activity = made["task"]["task"], made["activity"]["activity"]
    logged = await asked(suite, ada, LOG, id=activity["uuid"])
    moment = logged["logMoment"]["moment"]
    data = {"km": 5, "note": "along the fence"}
    assert moment["activity"] == {"name": "Running", "moments": {"edges": [{"node": {"data": data}}]}}
    assert await asked(suite, ada, DAY) == {
        "profile": {"name": "Ada of the journey"},
        "tasks": {
            "edges": [{"node": {"title": "Mend the fence", "role": "OWNER"}}],
            "pageInfo": {"hasNextPage": False},
        },
        "moments": {"edges": [{"node": {"data": data, "activity": {"name": "Running"}}}]},
    }
    rest = await ada.call("GET", f"/tasks/{task['uuid']}")
    assert rest.headers["etag"].removesuffix('"').split("-gzip")[0] == task["etag"].removesuffix('"')
    found = (await ada.call("GET", "/search?q=fence")).json()
    assert {(item["type"], item["id"]) for item in found["items"]} == {
        ("task", task["uuid"]),
        ("moment", moment["uuid"]),
    }
    archive = await ada.call("GET", "/export")
    assert archive.headers["content-disposition"].startswith('attachment; filename="grove-resource-export-')
    held = archive.json()
    assert held["profile"]["name"] == "Ada of the journey"
    assert [each["id"] for each in held["tasks"]] == [task["uuid"]]
    assert [each["id"] for each in held["activities"]] == [activity["uuid"]]
    assert [each["id"] for each in held["moments"]] == [moment["uuid"]]
    assert [each["name"] for each in held["tags"]] == ["garden"]

    async def told() -> bool:
        return await ada.notified_tasks() == [task["uuid"]]

    await wait_until(told, 20)


async def test_the_edge_lets_graphql_say_no(suite, ada):
    url = f"{suite.file['api_url']}/graphql"
    nobody = await ada.client.post(url, json={"query": "{ __typename }"})
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "AUTH_REQUIRED")
    get = await ada.client.get(f"{url}?query={{__typename}}", headers=ada.headers)
    assert (get.status_code, get.headers["allow"]) == (405, "POST")
    wrong = await ada.client.post(url, json={"query": "{ unknown }"}, headers=ada.headers)
    assert (wrong.status_code, wrong.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    legacy = await ada.client.post(url, json={"query": "{"}, headers=ada.headers | {"Accept": "application/json"})
    assert (legacy.status_code, legacy.headers["content-type"]) == (200, "application/json; charset=utf-8")
