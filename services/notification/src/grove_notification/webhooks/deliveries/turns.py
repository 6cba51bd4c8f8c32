"""`webhooks.due_at`: nothing of a webhook's deliveries is due before that; null: nothing waits.

It may be too early, which costs a look; but what is due is known to be. Whoever queues something, or makes it due
earlier, lowers it in the same transaction, before they write deliveries. Only `settle` raises it: a claim does so for
each webhook that it looked at. Who queues shares the webhook's row until their rows are committed: `settle` passes over
rows that are shared, and reads what the others wait for after that. Of an ordered webhook the first delivery counts;
none counts before `resume_at`.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from grove_notification.models import Webhook


def first_due(webhook: str) -> str:
    """SQL: when the first of what waits for a webhook, a row of that name, is due by itself; null: nothing waits."""
    return f"""CASE WHEN {webhook}.ordered THEN (
    SELECT d.next_attempt_at FROM webhook_deliveries d
    WHERE d.webhook_id = {webhook}.id AND d.status = 'pending' ORDER BY d.event_id LIMIT 1
  ) ELSE (
    SELECT d.next_attempt_at FROM webhook_deliveries d
    WHERE d.webhook_id = {webhook}.id AND d.status = 'pending' ORDER BY d.next_attempt_at LIMIT 1
  ) END"""  # noqa: S608 - of constants


_TRUTH = f"""truth AS (
  SELECT first.id, CASE WHEN first.due_at IS NOT NULL THEN greatest(first.due_at, first.resume_at) END AS due_at
  FROM (
    SELECT w.id, w.resume_at, {first_due("w")} AS due_at FROM webhooks w
    WHERE w.id = ANY(CAST(:webhooks AS uuid[])) OFFSET 0
  ) first
)"""  # noqa: S608 - of constants

_LOWER = text("""
WITH later AS (
  SELECT w.id FROM webhooks w
  WHERE w.id = ANY(CAST(:webhooks AS uuid[]))
    AND (w.due_at IS NULL OR w.due_at > greatest(CAST(:moment AS timestamptz), w.resume_at))
    AND NOT (w.ordered AND EXISTS (
      SELECT FROM webhook_deliveries d
      WHERE d.webhook_id = w.id AND d.status = 'pending' AND d.event_id < CAST(:event_id AS uuid)
    ))
  ORDER BY w.id FOR NO KEY UPDATE
)
UPDATE webhooks w SET due_at = greatest(CAST(:moment AS timestamptz), w.resume_at) FROM later WHERE w.id = later.id
""")

_UNSHARED = text("""
SELECT w.id FROM webhooks w WHERE w.id = ANY(CAST(:webhooks AS uuid[])) ORDER BY w.id FOR UPDATE SKIP LOCKED
""")

_SETTLE = text(
    f"""WITH {_TRUTH}
UPDATE webhooks w SET due_at = truth.due_at FROM truth
WHERE w.id = truth.id AND w.due_at IS DISTINCT FROM truth.due_at
"""  # noqa: S608 - of constants
)

_LATE = text(
    f"""SELECT w.id FROM webhooks w, LATERAL (SELECT {first_due("w")} AS due_at OFFSET 0) first
WHERE w.status = 'active' AND first.due_at IS NOT NULL
  AND (w.due_at IS NULL OR w.due_at > greatest(first.due_at, w.resume_at, statement_timestamp()))
"""  # noqa: S608 - of constants
)
_FIRST_OF_ALL = UUID(int=0)


async def lower(
    connection: AsyncConnection, webhooks: Collection[UUID], moment: datetime, *, event_id: UUID = _FIRST_OF_ALL
) -> None:
    """Something of these is due at that moment. Writes a webhook only if it is not due by then anyway.

    `event_id`: the first event that is about to be queued; an ordered webhook with an earlier one waits for that.
    """
    await connection.execute(_LOWER, {"webhooks": list(webhooks), "moment": moment, "event_id": event_id})


def lower_locked(webhook: Webhook, moment: datetime) -> None:
    """The same of a row that is held."""
    if webhook.due_at is None or webhook.due_at > moment:
        webhook.due_at = moment


async def settle(connection: AsyncConnection, webhooks: Collection[UUID]) -> None:
    """Set it right, but of webhooks for which somebody queues at this moment. Waits for nobody."""
    unshared = list((await connection.execute(_UNSHARED, {"webhooks": list(webhooks)})).scalars())
    if unshared:
        await connection.execute(_SETTLE, {"webhooks": unshared})


async def too_late(connection: AsyncConnection) -> list[UUID]:
    """Webhooks that are thought to have nothing due and have, which nothing can bring about but a mistake."""
    return list((await connection.execute(_LATE)).scalars())
