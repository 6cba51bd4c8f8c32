"""How late deliveries are that could be tried and are not."""

from dataclasses import dataclass

from sqlalchemy import text

from grove.postgres.reads import Reads, Statement
from grove_notification.webhooks.deliveries.claiming import DUE
from grove_notification.webhooks.deliveries.turns import first_due

_LATE = Statement(
    text(
        f"""WITH {DUE}, waiting AS (
  SELECT due.held_back, greatest(first.due_at, due.tried_at) AS since,
    due.tried_at IS NULL OR due.tried_at <= due.failing_since AS fresh
  FROM due CROSS JOIN LATERAL (SELECT {first_due("due")} AS due_at OFFSET 0) first
  WHERE due.room > 0 AND NOT due.asked_to_wait AND first.due_at <= statement_timestamp()
)
SELECT extract(epoch FROM statement_timestamp() - min(since) FILTER (WHERE NOT held_back)) AS seconds,
  extract(epoch FROM statement_timestamp() - min(since) FILTER (WHERE held_back)) AS held_back,
  extract(epoch FROM statement_timestamp() - min(since) FILTER (WHERE held_back AND fresh)) AS fresh
FROM waiting
"""  # noqa: S608 - of constants
    )
)


@dataclass(frozen=True, slots=True)
class Lateness:
    """For how many seconds the endpoint whose turn is the latest has waited for it, since it was due and last tried.

    `held_back`: of those that took nothing or long lately, or nothing ever, which wait by intention, but not for long
    when they are `fresh`: never tried, or failed once.
    """

    seconds: float
    held_back: float
    fresh: float


async def lateness(reads: Reads, *, cap: int) -> Lateness:
    """Now. `cap`: tries at one endpoint at a time."""
    row = await reads.first(_LATE, cap=cap)
    return Lateness(*(0.0 if each is None else max(0.0, float(each)) for each in row or (None, None, None)))
