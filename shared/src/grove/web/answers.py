"""Answers that skip FastAPI's second validation: what comes from our own rows is serialised once."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response
from pydantic import TypeAdapter


def json_answer(
    adapter: TypeAdapter[Any], value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """`value` as JSON, by the adapter of its declared type."""
    return Response(adapter.dump_json(value), status, dict(headers or {}), media_type="application/json")


def json_text(text: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """JSON that PostgreSQL made."""
    return Response(text, headers=dict(headers or {}), media_type="application/json")


def not_modified(tag: str) -> Response:
    """304 for a version that the client has."""
    return Response(status_code=304, headers={"ETag": tag})
