"""What is asked of the resource service, over REST and over GraphQL, and the same of its limit (limit.py)."""

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

SINCE = "2020-01-01T00:00:00Z"
SCHEMA = {
    "type": "object",
    "properties": {
        "mood": {"type": "integer", "minimum": 1, "maximum": 5},
        "km": {"type": "number", "minimum": 0},
        "note": {"type": "string", "maxLength": 200},
    },
    "required": ["mood"],
}
DATA = {"mood": 4, "km": 7.5, "note": "along the river"}


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with tasks, of which `task` is one, and moments of `activity`."""

    headers: dict[str, str]
    id: str
    task: str
    activity: str


@dataclass(frozen=True, slots=True)
class Question:
    """A request. Its path and body name fields of User in braces."""

    method: str
    path: str
    body: dict[str, Any] | None = None

    def of(self, user: User) -> tuple[str, str]:
        """Path and body for a user."""
        return _filled(self.path, user), _filled(json.dumps(self.body), user) if self.body else ""


@dataclass(frozen=True, slots=True)
class Case:
    """The same asked of both."""

    name: str
    service: Question
    limit: Question
    aim: str = ""

    def over_graphql(self, document: str, **variables: Any) -> "Case":
        """The same once more, as a GraphQL document."""
        sent = Question("POST", "/graphql", {"query": document, "variables": variables})
        return replace(self, name=f"{self.name}, GraphQL", service=sent, aim="")


def _filled(text: str, user: User) -> str:
    return text.replace("{user}", user.id).replace("{task}", user.task).replace("{activity}", user.activity)


_FILTER = urlencode({"activity_id": "{activity}", "occurred_from": SINCE, "data.mood": 4}, safe="{}:")
_BARE_FILTER = urlencode(
    {"user": "{user}", "activity": "{activity}", "since": SINCE, "data": json.dumps({"mood": 4})}, safe="{user}:"
)
_MADE = {"title": "Plant a tree"}
_LOGGED = {"activity_id": "{activity}", "occurred_at": "2026-01-02T03:04:05Z", "data": DATA}

LIST = Case(
    "list, 20 of 30 tasks", Question("GET", "/api/v1/tasks"), Question("GET", "/tasks?user={user}"), aim="≥ 0.6"
)
_GET = Case(
    "get one task", Question("GET", "/api/v1/tasks/{task}"), Question("GET", "/tasks/{task}?user={user}"), aim="≥ 0.7"
)
_CREATE = Case("create a task", Question("POST", "/api/v1/tasks", _MADE), Question("POST", "/tasks?user={user}", _MADE))
_SEARCH = Case(
    "tasks with a word", Question("GET", "/api/v1/tasks?q=plant"), Question("GET", "/search?user={user}&q=plant")
)
LOG = Case(
    "log a moment", Question("POST", "/api/v1/moments", _LOGGED), Question("POST", "/moments?user={user}", _LOGGED)
)
_BY_DATA = Case(
    "moments by data.mood and time",
    Question("GET", f"/api/v1/moments?{_FILTER}"),
    Question("GET", f"/moments?{_BARE_FILTER}"),
)

_TASK = """{ id uuid userId title description completed completedAt dueAt priority tags parentId recurrence role
 isDeleted deletedAt createdAt updatedAt }"""
_MOMENT = "{ id uuid activityId schemaVersion occurredAt data createdAt updatedAt }"
_READS = (LIST, _GET, _SEARCH, _BY_DATA)
_GRAPHQL_READS = (
    LIST.over_graphql(f"{{ tasks {{ edges {{ node {_TASK} }} }} }}"),
    _GET.over_graphql(f"query ($id: ID!) {{ task(id: $id) {_TASK} }}", id="{task}"),
    _SEARCH.over_graphql(f'{{ tasks(q: "plant") {{ edges {{ node {_TASK} }} }} }}'),
    _BY_DATA.over_graphql(
        f"""query ($activity: ID!, $since: DateTime!) {{ moments(activityId: $activity, occurredFrom: $since,
 data: [{{path: "mood", equals: "4"}}]) {{ edges {{ node {_MOMENT} }} }} }}""",
        activity="{activity}",
        since=SINCE,
    ),
)
_GRAPHQL_WRITES = (
    _CREATE.over_graphql(
        f"mutation ($input: CreateTaskInput!) {{ createTask(input: $input) {{ task {_TASK} }} }}", input=_MADE
    ),
    LOG.over_graphql(
        f"mutation ($input: LogMomentInput!) {{ logMoment(input: $input) {{ moment {_MOMENT} }} }}",
        input={"activityId": "{activity}", "occurredAt": _LOGGED["occurred_at"], "data": DATA},
    ),
)
CASES = (*_READS, *_GRAPHQL_READS, _CREATE, LOG, *_GRAPHQL_WRITES)
"""Reads first: what writes add would be read."""
