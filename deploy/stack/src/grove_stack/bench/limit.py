"""The limit: a FastAPI route with one statement each on bare asyncpg, whose answer PostgreSQL makes. No sign-in.

It is served like the service beside it: one uvicorn process, uvloop, httptools, the same mTLS. It answers with the same
bytes, and is given what the service has to find out: the user, and that nobody shares tasks with them.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import uvicorn
from fastapi import FastAPI, Request, Response

from grove.core.ids import new_id
from grove.security.mtls import TlsMaterial


def _time(column: str) -> str:
    form = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
    return f"replace(to_char({column} AT TIME ZONE 'UTC', {form}), '.000000Z', 'Z') AS {column}"


_TASK = f"""SELECT id, user_id, title, description, completed_at IS NOT NULL AS completed, {_time("completed_at")},
 {_time("due_at")}, (ARRAY['none', 'low', 'medium', 'high'])[priority + 1] AS priority, tags, parent_id, recurrence,
 'owner' AS role, deleted_at IS NOT NULL AS is_deleted, {_time("deleted_at")}, {_time("created_at")},
 {_time("updated_at")}"""
_MOMENT = f"""SELECT id, activity_id, schema_version, {_time("occurred_at")}, data, {_time("created_at")},
 {_time("updated_at")}"""


def _page(item: str, table: str, condition: str, order: str) -> str:
    return f"""SELECT '{{"items":[' || coalesce(string_agg(json, ','), '') || '],"total":' ||
 (SELECT count(*) FROM {table} WHERE {condition}) || ',"page":1,"size":20,"pages":' ||
 (SELECT ceil(count(*) / 20.0) FROM {table} WHERE {condition}) || '}}' FROM (
 SELECT row_to_json(item)::text AS json FROM (SELECT * FROM {table} WHERE {condition} ORDER BY {order} LIMIT 20) AS page
 CROSS JOIN LATERAL ({item}) AS item) AS items"""  # noqa: S608 - constants of this file


_LIVE = "user_id = $1 AND deleted_at IS NULL"
_NEWEST = "created_at DESC, id DESC"
_LIST = _page(_TASK, "tasks", _LIVE, _NEWEST)
_SEARCH = _page(_TASK, "tasks", f"{_LIVE} AND search @@ websearch_to_tsquery('simple', $2)", _NEWEST)
_MOMENTS = _page(
    _MOMENT,
    "moments",
    "user_id = $1 AND activity_id = $2 AND occurred_at >= $3::text::timestamptz AND data @> $4::text::jsonb",
    "occurred_at DESC, id DESC",
)
_GET = f"SELECT row_to_json(item)::text FROM ({_TASK} FROM tasks WHERE id = $1 AND user_id = $2) AS item"  # noqa: S608
_CREATE = f"""WITH made AS (INSERT INTO tasks (id, user_id, title, created_at, updated_at)
 VALUES ($1, $2, $3, now(), now()) RETURNING *)
 SELECT row_to_json(item)::text FROM made CROSS JOIN LATERAL ({_TASK}) AS item"""  # noqa: S608
_LOG = f"""WITH made AS (INSERT INTO moments
 (id, user_id, activity_id, schema_version, occurred_at, data, created_at, updated_at)
 VALUES ($1, $2, $3, 1, $4::text::timestamptz, $5::text::jsonb, now(), now()) RETURNING *)
 SELECT row_to_json(item)::text FROM made CROSS JOIN LATERAL ({_MOMENT}) AS item"""  # noqa: S608


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    password = (Path(os.environ["SECRETS_DIR"]) / "database_password").read_text().strip()
    async with asyncpg.create_pool(
        host=os.environ["DATABASE_HOST"],
        port=int(os.environ["DATABASE_PORT"]),
        user="resource",
        database="resource",
        password=password,
        min_size=10,
        max_size=10,
        server_settings={"plan_cache_mode": "force_generic_plan"},
    ) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)


@app.get("/tasks")
async def list_tasks(user: UUID) -> Response:
    """The list."""
    return _json(await app.state.pool.fetchval(_LIST, user))


@app.get("/search")
async def search_tasks(user: UUID, q: str) -> Response:
    """The list, filtered."""
    return _json(await app.state.pool.fetchval(_SEARCH, user, q))


@app.get("/tasks/{task_id}")
async def get_task(task_id: UUID, user: UUID) -> Response:
    """One task."""
    return _json(await app.state.pool.fetchval(_GET, task_id, user))


@app.post("/tasks")
async def create_task(request: Request, user: UUID) -> Response:
    """A new one."""
    title = json.loads(await request.body())["title"]
    return _json(await app.state.pool.fetchval(_CREATE, new_id(), user, title))


@app.get("/moments")
async def list_moments(user: UUID, activity: UUID, since: str, data: str) -> Response:
    """Moments of an activity since a time, whose data holds something."""
    return _json(await app.state.pool.fetchval(_MOMENTS, user, activity, since, data))


@app.post("/moments")
async def log_moment(request: Request, user: UUID) -> Response:
    """A new one."""
    sent = json.loads(await request.body())
    data = json.dumps(sent["data"])
    activity_id = UUID(sent["activity_id"])
    return _json(await app.state.pool.fetchval(_LOG, new_id(), user, activity_id, sent["occurred_at"], data))


def _json(text: Any) -> Response:
    return Response(text, media_type="application/json")


def main() -> None:
    """Serve until stopped."""
    tls = TlsMaterial(Path(os.environ["TLS_IDENTITY_FILE"]), Path(os.environ["TLS_CA_FILE"]))
    uvicorn.run(
        app,
        port=int(os.environ["PORT"]),
        ssl_certfile=tls.identity_file,
        ssl_context_factory=lambda _config, _default: tls.server_context(),
        loop="uvloop",
        log_level="error",
        access_log=False,
    )


if __name__ == "__main__":
    main()
