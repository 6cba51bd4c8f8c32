"""What the API reference says about POST /graphql."""

from typing import Any
from uuid import UUID

from grove_resource.graphql.nodes import Kind, global_id
from grove_resource.graphql.protocol import GRAPHQL, JSON

_QUERY = "query Open($first: Int!) { tasks(first: $first, status: PENDING) { edges { node { id title dueAt } } } }"
_REQUEST = {"query": _QUERY, "variables": {"first": 1}}
_DATA = {
    "data": {
        "tasks": {
            "edges": [
                {
                    "node": {
                        "id": global_id(Kind.TASK, UUID("0198f76e-6b9a-7c3b-8c42-0b96d56e2a11")),
                        "title": "Buy oat milk",
                        "dueAt": "2026-05-01T07:30:00Z",
                    }
                }
            ]
        }
    }
}
_ERRORS = {
    "errors": [
        {
            "message": "Cannot query field 'titel' on type 'Task'.",
            "locations": [{"line": 1, "column": 40}],
            "extensions": {"code": "BAD_REQUEST", "status": 400, "details": [], "request_id": "0198f76e-6b9a"},
        }
    ]
}
_ANY_MAP = {"anyOf": [{"type": "object"}, {"type": "null"}]}
_BODY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["query"],
    "properties": {
        "query": {"type": "string", "description": "The document"},
        "operationName": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "variables": _ANY_MAP,
        "extensions": _ANY_MAP,
    },
    "examples": [_REQUEST],
}
_ERROR = {
    "type": "object",
    "required": ["message", "extensions"],
    "properties": {
        "message": {"type": "string"},
        "locations": {"type": "array", "items": {"type": "object"}},
        "path": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        "extensions": {
            "type": "object",
            "required": ["code", "status", "details", "request_id"],
            "description": "The code, status and details that REST would answer with",
        },
    },
}
_ANSWER = {
    "type": "object",
    "properties": {
        "data": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        "errors": {"type": "array", "items": _ERROR},
    },
}


def _content(example: Any) -> dict[str, Any]:
    return {media: {"schema": _ANSWER, "example": example} for media in (GRAPHQL, JSON)}


DESCRIBED: dict[str, Any] = {
    "requestBody": {"required": True, "content": {JSON: {"schema": _BODY, "example": _REQUEST}}},
    "responses": {
        "200": {
            "description": "Executed; fields that failed are null, and `errors` says why",
            "content": _content(_DATA),
        },
        "400": {
            "description": "Not executed: the request, its document or its variables are wrong",
            "content": _content(_ERRORS),
        },
    },
}
