"""Which deliveries a worker tries next, among all workers.

A claim is rounds of one transaction. In each a first statement holds endpoints that have something due and room for it
(turns.py), and passes over those that another worker holds; a second sees what others committed before that, counts
what is under way at each endpoint, and takes as many as fit. So an endpoint never gets more at once than it should, and
none is tried twice. It costs what is due, however many wait for later.

Among users the one with the least under way comes first, and then the endpoint that was tried longest ago: the backlog
of one that is dead is no reason to try it before one that is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from grove_notification.webhooks.deliveries import turns

ROUNDS = 20
"""Of one claim. A second one is needed when an endpoint that was held had nothing to take."""

DUE = """under_way AS MATERIALIZED (
  SELECT webhook_id, user_id, count(*) AS tries FROM webhook_deliveries
  WHERE leased_until > statement_timestamp() GROUP BY webhook_id, user_id
), busy AS (
  SELECT user_id, sum(tries) AS tries FROM under_way GROUP BY user_id
), due AS (
  SELECT w.id, w.user_id, w.ordered, w.due_at, w.tried_at, w.failing_since,
    coalesce(w.resume_at > statement_timestamp(), false) AS asked_to_wait,
    w.failing_since IS NOT NULL OR NOT w.proven OR coalesce(w.slow_until > statement_timestamp(), false) AS held_back,
    CASE WHEN w.ordered OR w.failing_since IS NOT NULL OR NOT w.proven THEN 1 ELSE CAST(:cap AS integer) END
      - coalesce(under_way.tries, 0) AS room,
    coalesce(busy.tries, 0) AS tries_of_user
  FROM webhooks w
  LEFT JOIN under_way ON under_way.webhook_id = w.id
  LEFT JOIN busy ON busy.user_id = w.user_id
  WHERE w.status = 'active' AND w.due_at <= statement_timestamp()
    AND (SELECT u.blocked FROM users u WHERE u.id = w.user_id) IS NOT TRUE
)"""
"""SQL: `due`, the endpoints that may have something due.

`held_back`: it took nothing or long lately, or nothing ever; all of them together get a part of the slots only.
`room`: the tries that it may have beside those under way. One that fails, or never took anything, holds up little.
"""

_HOLD = text(
    f"""WITH {DUE}, queued AS (
  SELECT id, tried_at, due_at,
    tries_of_user + row_number() OVER (PARTITION BY user_id ORDER BY tried_at NULLS FIRST, due_at) AS turn
  FROM due WHERE room > 0 AND held_back = CAST(:held_back AS boolean) AND id <> ALL(CAST(:seen AS uuid[]))
)
SELECT w.id FROM queued JOIN webhooks w ON w.id = queued.id
ORDER BY queued.turn, queued.tried_at NULLS FIRST, queued.due_at LIMIT CAST(:most AS integer)
FOR NO KEY UPDATE OF w SKIP LOCKED
"""  # noqa: S608 - of constants
)

_CLAIM = text(
    f"""WITH {DUE}, fitting AS (
  SELECT due.*, first_ones.delivery_id, first_ones.next_attempt_at, first_ones.place
  FROM due CROSS JOIN LATERAL (
    SELECT either.*, row_number() OVER () AS place FROM (
      (SELECT d.id AS delivery_id, d.next_attempt_at FROM webhook_deliveries d
       WHERE NOT due.ordered AND d.webhook_id = due.id AND d.status = 'pending'
         AND d.next_attempt_at <= statement_timestamp()
       ORDER BY d.next_attempt_at LIMIT greatest(due.room, 0))
      UNION ALL
      (SELECT d.id, d.next_attempt_at FROM webhook_deliveries d
       WHERE due.ordered AND d.webhook_id = due.id AND d.status = 'pending'
       ORDER BY d.event_id LIMIT greatest(due.room, 0))
    ) either
  ) first_ones
  WHERE due.id = ANY(CAST(:webhooks AS uuid[])) AND NOT due.asked_to_wait
    AND first_ones.next_attempt_at <= statement_timestamp()
), taken AS (
  SELECT id, delivery_id, held_back FROM fitting
  ORDER BY tries_of_user + row_number() OVER (PARTITION BY user_id ORDER BY place, tried_at NULLS FIRST, due_at),
    tried_at NULLS FIRST, due_at
  LIMIT CAST(:most AS integer)
), lease AS (
  SELECT statement_timestamp() + make_interval(secs => CAST(:lease_seconds AS double precision)) AS ends
)
UPDATE webhook_deliveries d SET leased_until = lease.ends, next_attempt_at = lease.ends
FROM lease, taken JOIN webhooks w ON w.id = taken.id
WHERE d.id = taken.delivery_id AND d.status = 'pending' AND d.next_attempt_at <= statement_timestamp()
RETURNING d.id, d.webhook_id, d.user_id, d.event_id, d.message_id, d.event_type, d.body, d.attempts, d.leased_until,
  w.url, w.secrets, w.ordered, taken.held_back
"""  # noqa: S608 - of constants
)
"""Its last condition is asked of the row as it is when it is this statement's turn: who had it may have ended late."""

_TRIED = text("UPDATE webhooks SET tried_at = statement_timestamp() WHERE id = ANY(CAST(:webhooks AS uuid[]))")


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
    ordered: bool
    held_back: bool


async def claim(
    session: AsyncSession, *, most: int, cap: int, lease_seconds: float, held_back: bool
) -> Sequence[Claimed]:
    """Take up to `most` deliveries, `cap` an endpoint. `held_back`: of those endpoints, else of the others."""
    connection = await session.connection()
    claimed: list[Claimed] = []
    seen: list[UUID] = []
    for _ in range(ROUNDS):
        missing = most - len(claimed)
        asked = {"most": missing, "cap": cap, "held_back": held_back, "seen": seen}
        held = list((await connection.execute(_HOLD, asked)).scalars())
        if held:
            claimed += await _take(connection, held, most=missing, cap=cap, lease_seconds=lease_seconds)
        if len(held) < missing or len(claimed) >= most:
            break
        seen += held
    return claimed


async def _take(
    connection: AsyncConnection, held: list[UUID], *, most: int, cap: int, lease_seconds: float
) -> list[Claimed]:
    """What is due of held webhooks, and fits; they are settled."""
    wanted = {"webhooks": held, "most": most, "cap": cap, "lease_seconds": lease_seconds}
    taken = [Claimed(**row._mapping) for row in await connection.execute(_CLAIM, wanted)]  # noqa: SLF001 - its public name
    if taken:
        await connection.execute(_TRIED, {"webhooks": sorted({each.webhook_id for each in taken})})
    await turns.settle(connection, held)
    return taken
