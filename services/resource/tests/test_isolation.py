"""What is one user's is never shown to another, nor changed by them: whatever they ask, by ids that are right."""

import json
import re
from datetime import timedelta
from uuid import UUID

import pytest
import schemathesis
from graphql import parse_value
from hypothesis import strategies as st
from schemathesis import GenerationMode
from sqlalchemy import text

from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.generated import attack, send
from grove_resource.graphql.nodes import Kind, global_id
from grove_resource.graphql.schema import SCHEMA
from grove_resource.models import Base

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
EXAMPLES = 5
SECRET = "xyzzyplugh"  # one word, so that search could find it
PUBLIC = "/api/v1/profiles/{user_id}"  # what all may see
REFUSED = {400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 416, 422, 429}
FITTING = {
    "recurrence": None,
    "email": "someone@example.com",
    "data_schema": {"type": "object"},
    "occurred_at": "2026-05-01T07:30:00Z",
    "data": {"word": "mine"},
}
"""Values that are rarely drawn right, so that the request gets as far as asking whose the thing is."""
INVALID_PARENT = {"POST /api/v1/tasks"}
"""Where another's id is a field that is not valid, and so a 422."""
ROWS = "SELECT to_jsonb(r)::text FROM {table} r WHERE to_jsonb(r)::text LIKE '%' || :user || '%' ORDER BY 1"


@pytest.fixture
async def owner(client, issuer):
    """A user who has one of everything, under names with the secret word; her id, and all ids by their parameter."""
    user = new_id()
    headers = issuer.headers(user)

    async def made(path: str, status: int = 201, method: str = "POST", **sent) -> dict:
        answer = await client.request(method, f"/api/v1/{path}", headers=headers, **sent)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else {}

    await made("profile", 200, "PUT", json={"name": "Ada", "bio": "gardener"})
    due = (now() + timedelta(days=1)).isoformat()
    task = await made(
        "tasks", json={"title": SECRET, "description": SECRET, "tags": [SECRET], "due_at": due, "remind_at": due}
    )
    path = f"tasks/{task['id']}"
    await made("tasks", json={"title": f"{SECRET} below", "parent_id": task["id"]})
    await made(f"{path}/shares", 202, json={"email": f"{SECRET}@example.com", "role": "editor"})
    share = (await made(f"{path}/shares", 200, "GET"))["items"][0]
    reminder = (await made(f"{path}/reminders", 200, "GET"))["items"][0]
    attachment = await made(f"{path}/attachments", files={"file": (f"{SECRET}.txt", SECRET.encode())})
    tag = (await made("tags", 200, "GET"))["items"][0]
    activity = await made(
        "activities", json={"name": SECRET, "description": SECRET, "data_schema": {"type": "object", "title": SECRET}}
    )
    logged = {"activity_id": activity["id"], "occurred_at": now().isoformat(), "data": {"word": SECRET}}
    moment = await made("moments", json=logged)
    ids = {
        "task_id": task["id"],
        "parent_id": task["id"],
        "tag_id": tag["id"],
        "share_id": share["id"],
        "reminder_id": reminder["id"],
        "attachment_id": attachment["id"],
        "activity_id": activity["id"],
        "moment_id": moment["id"],
        "user_id": str(user),
    }
    return user, ids


@pytest.fixture
def kept(resources):
    """All rows of all tables that name the user, as text."""

    async def kept(user: UUID) -> list[str]:
        async with resources.engine.connect() as connection:
            found: list[str] = []
            for table in Base.metadata.sorted_tables:
                if table.name not in {"outbox", "idempotency_keys"}:
                    rows = await connection.execute(text(ROWS.format(table=table.name)), {"user": str(user)})
                    found += [f"{table.name} {row}" for row in rows.scalars()]
            return found

    return kept


def aim(case, ids) -> bool:
    """Turn a generated request on the owner's things. Whether it now names one beside its filters."""
    case.path_parameters = {name: ids.get(name, value) for name, value in case.path_parameters.items()}
    filters = {parameter.name for parameter in case.operation.query}
    case.query = {**case.query, **{name: ids[name] for name in filters & ids.keys()}}
    if "q" in filters:
        case.query["q"] = SECRET
    if isinstance(case.body, dict):
        case.body |= {name: value for name, value in (FITTING | ids).items() if name in case.body}
    return any(value in ids.values() for value in (*case.path_parameters.values(), *_values(case.body)))


def _values(body) -> list:
    return [value for value in body.values() if isinstance(value, str)] if isinstance(body, dict) else []


async def test_no_route_shows_or_changes_anothers(app, client, issuer, owner, kept):
    user, ids = owner
    before = await kept(user)
    assert len(before) >= 8, "she has one of everything"
    refused: dict[str, set[int]] = {}
    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        operation = found.ok()
        if operation.path.startswith(PUBLIC):
            continue
        headers = issuer.headers(new_id())  # one who has nothing, and all scopes
        label = operation.label

        async def check(case, headers=headers, label=label) -> None:
            named = aim(case, ids)
            answer = await send(client, case, headers)
            shown = answer.text if answer.status_code < 400 else answer.text.replace(str(case.query), "")
            assert SECRET not in shown, (case.as_curl_command(), shown)
            if named:
                assert answer.status_code in REFUSED, (case.as_curl_command(), shown)
                refused.setdefault(label, set()).add(answer.status_code)

        await attack(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), EXAMPLES, check)
    assert len(refused) > 30
    blocked = {label for label, statuses in refused.items() if not {403, 404} & statuses}
    assert blocked == INVALID_PARENT, "the ids were asked for"
    assert await kept(user) == before


async def test_no_operation_of_a_bulk_changes_anothers(client, issuer, owner, kept):
    user, ids = owner
    before = await kept(user)
    task = ids["task_id"]
    operations = [
        {"op": "create", "data": {"title": "Mine", "parent_id": task}},
        {"op": "update", "id": task, "data": {"title": "Mine"}},
        {"op": "complete", "id": task},
        {"op": "delete", "id": task},
        {"op": "restore", "id": task},
    ]
    answer = await client.post("/api/v1/tasks/bulk", json={"operations": operations}, headers=issuer.headers(new_id()))
    assert [result["status"] for result in answer.json()["results"]] == [422, 403, 403, 403, 403]
    assert SECRET not in answer.text
    assert await kept(user) == before


_ID = re.compile(r'\b(id|activityId|parentId): (?:"(?:[^"\\]|\\.)*"|-?\d+|null)')
_TIME = re.compile(r'\b(occurredAt): "[^"]*"')
_DATA = st.just(parse_value('{type: "object"}'))  # fits as data and as a schema


async def test_no_field_of_graphql_shows_or_changes_anothers(client, issuer, owner, kept):
    user, ids = owner
    before = await kept(user)
    theirs = {kind: global_id(kind, UUID(ids[f"{kind}_id"])) for kind in (Kind.TASK, Kind.ACTIVITY, Kind.MOMENT)}
    schemathesis.graphql.scalar("JSON", _DATA)
    codes: dict[str, set[str]] = {}
    for found in schemathesis.graphql.from_file(SCHEMA.as_str()).get_all_operations():
        operation = found.ok()
        label = operation.label
        headers = issuer.headers(new_id())
        for kind in [kind for kind in theirs if kind in label.lower()] or list(theirs):
            named = {"id": theirs[kind], "activityId": theirs[Kind.ACTIVITY], "parentId": theirs[Kind.TASK]}

            async def check(case, headers=headers, named=named, label=label) -> None:
                query = _ID.sub(lambda match: f'{match[1]}: "{named[match[1]]}"', case.body)
                query = _TIME.sub(r'\1: "2026-05-01T07:30:00Z"', query)
                answer = await client.post("/graphql", json={"query": query}, headers=headers)
                shown = json.dumps(answer.json().get("data"))
                assert not [secret for secret in (SECRET, *ids.values(), *theirs.values()) if secret in shown], query
                for error in answer.json().get("errors", ()):
                    codes.setdefault(label, set()).add(error["extensions"]["code"])

            await attack(operation.as_strategy(), EXAMPLES, check)
    for change in ("updateTask", "completeTask", "deleteTask", "restoreTask"):
        assert "FORBIDDEN" in codes[f"Mutation.{change}"]
    for change in ("updateActivity", "deleteActivity", "updateMoment", "deleteMoment", "logMoment"):
        assert "RESOURCE_NOT_FOUND" in codes[f"Mutation.{change}"]
    assert await kept(user) == before
