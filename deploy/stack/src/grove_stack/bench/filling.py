"""Filling the resource service's tables: many users' rows beside those of who is measured, by SQL alone."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from grove_stack.plan import Plan

USERS = 1000
DEEP_TASKS = 200_020
"""Tasks of one user: 10,000 pages of 20 and one more."""

_TASKS = """INSERT INTO tasks (id, user_id, title, description, due_at, priority, tags, created_at, updated_at)
SELECT uuidv7(), md5('user' || n % $3)::uuid, 'Task ' || n || (ARRAY[' buy', ' call', ' write', ' read'])[1 + n % 4],
 'about ' || md5(n::text), CASE WHEN n % 2 = 0 THEN now() + n % 1000 * interval '1 hour' END, n % 4,
 CASE WHEN n % 4 = 0 THEN ARRAY['home', 'shop'] ELSE '{}' END,
 now() - (2000000 - n) * interval '1 second', now() FROM generate_series($1::int, $2::int) AS n"""
_ACTIVITIES = """INSERT INTO activities (id, user_id, name, data_schema, created_at, updated_at)
SELECT md5('activity' || n)::uuid, md5('user' || n)::uuid, 'Run', $2::text::jsonb, now(), now()
FROM generate_series(0, $1::int - 1) AS n"""
_MOMENTS = """INSERT INTO moments (id, user_id, activity_id, schema_version, occurred_at, data, created_at, updated_at)
SELECT uuidv7(), md5('user' || n % $3)::uuid, md5('activity' || n % $3)::uuid, 1,
 now() - (2000000 - n) * interval '1 minute', {data}, now(), now() FROM generate_series($1::int, $2::int) AS n"""
_DATA = """jsonb_build_object('mood', 1 + n % 5, 'km', n % 200 / 10.0, 'note', md5(n::text))"""
_DEEP = """INSERT INTO tasks (id, user_id, title, created_at, updated_at)
SELECT uuidv7(), $1, 'Deep ' || n, now() - n * interval '1 second', now() FROM generate_series(1, $2::int) AS n"""
_OWN_MOMENTS = f"""INSERT INTO moments
 (id, user_id, activity_id, schema_version, occurred_at, data, created_at, updated_at)
SELECT uuidv7(), $1, $2, 1, now() - n * interval '1 hour', {_DATA}, now(), now()
FROM generate_series(1, $3::int) AS n"""  # noqa: S608 - constants of this file
_PLACE = """SELECT created_at, id FROM tasks WHERE user_id = $1 AND deleted_at IS NULL
ORDER BY created_at DESC, id DESC OFFSET 199979 LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ends in the default order of tasks."""

    created_at: datetime
    id: UUID


class Filling:
    """A connection to the resource service's database, as its role."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._connection: asyncpg.Connection | None = None
        self._rows = 0

    async def __aenter__(self) -> "Filling":
        """Connect."""
        self._connection = await asyncpg.connect(
            host="127.0.0.1",
            port=self._plan.ports.pick("postgres"),
            user="resource",
            database="resource",
            password=self._plan.layout.secret("resource", "database_password"),
            command_timeout=900,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        await self._database.close()

    @property
    def _database(self) -> asyncpg.Connection:
        if self._connection is None:
            raise RuntimeError("use it in `async with`")
        return self._connection

    async def grow(self, rows: int, schema: str) -> None:
        """Bring tasks and moments of USERS others to `rows` each, and tell the planner."""
        if not self._rows:
            await self._database.execute(_ACTIVITIES, USERS, schema)
        first = self._rows + 1
        await self._database.execute(_TASKS, first, rows, USERS)
        await self._database.execute(_MOMENTS.format(data=_DATA), first, rows, USERS)
        await self._database.execute("VACUUM ANALYZE tasks")
        await self._database.execute("VACUUM ANALYZE moments")
        self._rows = rows

    async def give_moments(self, user_id: UUID, activity_id: UUID, count: int) -> None:
        """Moments of a user who is measured."""
        await self._database.execute(_OWN_MOMENTS, user_id, activity_id, count)

    async def give_deep(self, user_ids: list[UUID]) -> list[Place]:
        """DEEP_TASKS tasks to each of these users; where their page 9,999 ends."""
        for user_id in user_ids:
            await self._database.execute(_DEEP, user_id, DEEP_TASKS)
        await self._database.execute("VACUUM ANALYZE tasks")
        rows = [await self._database.fetchrow(_PLACE, user_id) for user_id in user_ids]
        return [Place(row["created_at"], row["id"]) for row in rows if row is not None]
