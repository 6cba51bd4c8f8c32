"""Which deliveries a worker tries next, among all workers.

A claim is two statements of one transaction. The first holds endpoints that have something due and room for it, and
passes over those that another worker holds; the second sees what others committed before that, counts what is under
way at each endpoint, and takes as many as fit. So an endpoint never gets more at once than it should, and none is tried
twice. Endpoints are looked up one by one in an index: however much is due at one, the others are found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.reads import Reads, Statement

_WAITING = """
WITH RECURSIVE waiting AS (
  (SELECT webhook_id, next_attempt_at FROM webhook_deliveries
   WHERE status = 'pending' ORDER BY webhook_id, next_attempt_at LIMIT 1)
  UNION ALL
  SELECT following.* FROM waiting CROSS JOIN LATERAL (
    SELECT d.webhook_id, d.next_attempt_at FROM webhook_deliveries d
    WHERE d.status = 'pending' AND d.webhook_id > waiting.webhook_id
    ORDER BY d.webhook_id, d.next_attempt_at LIMIT 1
  ) following
)"""
_BUSY = """busy AS MATERIALIZED (
  SELECT user_id, count(*) AS tries FROM webhook_deliveries WHERE leased_until > statement_timestamp() GROUP BY user_id
)"""
"""What each user has under way."""

_CAP = "CASE WHEN w.ordered OR w.failing_since IS NOT NULL OR NOT w.proven THEN 1 ELSE CAST(:cap AS integer) END"
"""How many tries an endpoint may have under way. One that fails, or never took anything, holds up little."""

_HELD_BACK = "(w.failing_since IS NOT NULL OR NOT w.proven OR coalesce(w.slow_until > statement_timestamp(), false))"
"""Endpoints that took nothing or long lately, or nothing ever: all of them together get a part of the slots only."""

_OPEN = "(w.status = 'active' AND coalesce(w.resume_at <= statement_timestamp(), true))"

_DUE = f"""{_OPEN} AND waiting.next_attempt_at <= statement_timestamp()
  AND (SELECT count(*) FROM webhook_deliveries d
       WHERE d.webhook_id = w.id AND d.leased_until > statement_timestamp()) < {_CAP}
  AND (NOT w.ordered OR (
    SELECT d.next_attempt_at FROM webhook_deliveries d
    WHERE d.webhook_id = w.id AND d.status = 'pending' ORDER BY d.event_id LIMIT 1
  ) <= statement_timestamp())
"""  # noqa: S608 - of constants

_HOLD = text(
    f"""{_WAITING}, {_BUSY}, due AS (
  SELECT w.id, waiting.next_attempt_at, coalesce(busy.tries, 0)
    + row_number() OVER (PARTITION BY w.user_id ORDER BY waiting.next_attempt_at) AS turn
  FROM waiting JOIN webhooks w ON w.id = waiting.webhook_id LEFT JOIN busy ON busy.user_id = w.user_id
  WHERE {_DUE} AND {_HELD_BACK} = CAST(:held_back AS boolean)
)
SELECT w.id FROM due JOIN webhooks w ON w.id = due.id
ORDER BY due.turn, due.next_attempt_at LIMIT CAST(:most AS integer)
FOR NO KEY UPDATE OF w SKIP LOCKED
"""  # noqa: S608 - of constants
)

_CLAIM = text(
    f"""
WITH {_BUSY}, held AS (
  SELECT w.*, coalesce(busy.tries, 0) AS tries, {_HELD_BACK} AS held_back, {_CAP} - (
    SELECT count(*) FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.leased_until > statement_timestamp()
  ) AS room
  FROM webhooks w LEFT JOIN busy ON busy.user_id = w.user_id
  WHERE w.id = ANY(CAST(:webhooks AS uuid[])) AND {_OPEN}
), taken AS (
  SELECT held.id AS webhook_id, held.url, held.secrets, held.held_back, next_ones.id
  FROM held CROSS JOIN LATERAL (
    (SELECT d.id, d.next_attempt_at FROM webhook_deliveries d
     WHERE NOT held.ordered AND d.webhook_id = held.id AND d.status = 'pending'
       AND d.next_attempt_at <= statement_timestamp()
     ORDER BY d.next_attempt_at LIMIT greatest(held.room, 0))
    UNION ALL
    (SELECT d.id, d.next_attempt_at FROM webhook_deliveries d
     WHERE held.ordered AND d.webhook_id = held.id AND d.status = 'pending'
     ORDER BY d.event_id LIMIT greatest(held.room, 0))
  ) next_ones
  WHERE next_ones.next_attempt_at <= statement_timestamp()
  ORDER BY held.tries + row_number() OVER (PARTITION BY held.user_id ORDER BY next_ones.next_attempt_at),
    next_ones.next_attempt_at
  LIMIT CAST(:most AS integer)
), lease AS (
  SELECT statement_timestamp() + make_interval(secs => CAST(:lease_seconds AS double precision)) AS ends
)
UPDATE webhook_deliveries d SET leased_until = lease.ends, next_attempt_at = lease.ends
FROM taken, lease
WHERE d.id = taken.id AND d.status = 'pending' AND d.next_attempt_at <= statement_timestamp()
RETURNING d.id, d.webhook_id, d.user_id, d.event_id, d.message_id, d.event_type, d.body, d.attempts, d.leased_until,
  taken.url, taken.secrets, taken.held_back
"""  # noqa: S608 - of constants
)
"""Its last condition is asked of the row as it is when it is this statement's turn: who had it may have ended late."""

_LATE = Statement(
    text(
        f"""{_WAITING}
SELECT extract(epoch FROM statement_timestamp() - min(waiting.next_attempt_at)) AS seconds
FROM waiting JOIN webhooks w ON w.id = waiting.webhook_id WHERE {_DUE} AND NOT {_HELD_BACK}
"""  # noqa: S608 - of constants
    )
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker tries until `leased_until`; who comes later has no say about it any more.

    `held_back`: its endpoint took nothing, or long, lately, or nothing ever.
    """

    id: UUID
    webhook_id: UUID
    user_id: UUID
    event_id: UUID
    message_id: UUID
    event_type: str
    body: str
    attempts: int
    leased_until: datetime
    url: str
    secrets: str
    held_back: bool


async def claim(
    session: AsyncSession, *, most: int, cap: int, lease_seconds: float, held_back: bool
) -> Sequence[Claimed]:
    """Take up to `most` deliveries, `cap` an endpoint. `held_back`: of those endpoints, else of the others."""
    connection = await session.connection()
    held = await connection.execute(_HOLD, {"most": most, "cap": cap, "held_back": held_back})
    webhooks = list(held.scalars())
    if not webhooks:
        return []
    taken = await connection.execute(
        _CLAIM, {"webhooks": webhooks, "most": most, "cap": cap, "lease_seconds": lease_seconds}
    )
    return [Claimed(**row._mapping) for row in taken]  # noqa: SLF001 - its public name


async def seconds_late(reads: Reads, *, cap: int) -> float:
    """How long the oldest delivery has waited that could be tried now; 0 when none could. What is held back waits by
    intention.
    """
    seconds = await reads.scalar(_LATE, cap=cap)
    return 0.0 if seconds is None else max(0.0, float(seconds))
