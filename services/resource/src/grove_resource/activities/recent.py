"""The activities that a user logged moments of last."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import DateTime, bindparam, func, select, true

from grove.core.clock import now, rfc3339
from grove.postgres.reads import Reads, Statement
from grove.valkey.cache import UserCache
from grove_resource.activities.repository import ACTIVITY_JSON
from grove_resource.models import Activity, Moment

MAX_RECENT = 20
_WEEK = timedelta(days=7)

# One look into ix_moments_activity_occurred for each activity, however many moments there are.
_LAST = (
    select(Moment.occurred_at)
    .where(Moment.activity_id == Activity.id)
    .order_by(Moment.occurred_at.desc(), Moment.id.desc())
    .limit(1)
    .correlate(Activity)
    .lateral("last")
)
_THIS_WEEK = (
    select(func.count())
    .where(
        Moment.activity_id == Activity.id,
        Moment.occurred_at > bindparam("since", type_=DateTime(timezone=True)),
    )
    .correlate(Activity)
    .scalar_subquery()
)
_RECENT = Statement(
    ACTIVITY_JSON.select(_LAST.c.occurred_at, _THIS_WEEK)
    .join(_LAST, true())
    .where(Activity.user_id == bindparam("user_id"))
    .order_by(_LAST.c.occurred_at.desc(), Activity.id.desc())
    .limit(MAX_RECENT)
)


class RecentQueries:
    """Reads the user's activities that have moments, the one with the latest moment first."""

    def __init__(self, reads: Reads, cache: UserCache, user_id: UUID) -> None:
        self._reads = reads
        self._cache = cache
        self._user_id = user_id

    async def get(self, size: int) -> str:
        """The first `size` of them, as JSON. MAX_RECENT are kept, so any size is an answer from the cache."""
        lines = await self._cache.get(self._user_id, self._read)
        # Not `splitlines`: it also splits at U+2028 and others, which JSON may hold as they are.
        items = ",".join(lines.split("\n")[:size])
        return f'{{"items":[{items}]}}'

    async def _read(self) -> str:
        rows = await self._reads.all(_RECENT, user_id=self._user_id, since=now() - _WEEK)
        return "\n".join(
            f'{{"activity":{row[0]},"last_occurred_at":"{rfc3339(row[1])}","moments_last_7_days":{row[2]}}}'
            for row in rows
        )
