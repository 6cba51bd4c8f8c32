"""The limit: a FastAPI route with one statement each on bare asyncpg, whose answer PostgreSQL makes. No sign-in.

It is served like the service beside it: one uvicorn process, uvloop, httptools, the same mTLS.
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

_ITEM = """json_build_object('id', id, 'user_id', user_id, 'title', title, 'description', description,
 'completed', completed_at IS NOT NULL, 'completed_at', completed_at, 'due_at', due_at,
 'priority', (ARRAY['none', 'low', 'medium', 'high'])[priority + 1],
 'tags', tags, 'parent_id', parent_id, 'role', 'owner',
 'is_deleted', deleted_at IS NOT NULL, 'deleted_at', deleted_at, 'created_at', created_at, 'updated_at', updated_at)"""
_LIST = f"""SELECT json_build_object('items', coalesce(json_agg({_ITEM}), '[]'), 'total', max(total), 'page', 1,
 'size', 20, 'pages', ceil(max(total) / 20.0)) FROM (SELECT *, count(*) OVER () AS total FROM tasks
 WHERE user_id = $1 AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 20) AS page"""  # noqa: S608
_GET = f"SELECT {_ITEM} FROM tasks WHERE id = $1 AND user_id = $2"  # noqa: S608
_CREATE = f"""INSERT INTO tasks (id, user_id, title, created_at, updated_at) VALUES ($1, $2, $3, now(), now())
 RETURNING {_ITEM}"""  # noqa: S608


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
    ) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)


@app.get("/tasks")
async def list_tasks(user: UUID) -> Response:
    """The list."""
    return _json(await app.state.pool.fetchval(_LIST, user))


@app.get("/tasks/{task_id}")
async def get_task(task_id: UUID, user: UUID) -> Response:
    """One task."""
    return _json(await app.state.pool.fetchval(_GET, task_id, user))


@app.post("/tasks")
async def create_task(request: Request, user: UUID) -> Response:
    """A new one."""
    title = json.loads(await request.body())["title"]
    return _json(await app.state.pool.fetchval(_CREATE, new_id(), user, title))


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
