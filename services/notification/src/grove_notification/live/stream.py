"""A user's live stream: frames are collected in a transaction, then numbered and written as its last statements.

A number is taken under the lock of the user's row until the commit, so numbers rise in the order of the commits and
leave no gap: who has seen one has been sent all before it. Rows are locked in the order of their users, so that two
transactions wait for each other in one direction only.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Uuid, bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.service.erasure import known_erased
from grove_notification.models import LiveFrame, LivePosition

_FRAMES = "live_frames"
COUNT = "count"
"""A frame without data, for connections alone: how many are unread is another number as of there. Who misses its push
finds the gap, as with any other."""

_counts = (
    func.unnest(bindparam("users", type_=ARRAY(Uuid)), bindparam("counts", type_=ARRAY(Integer)))
    .table_valued("user_id", "count")
    .render_derived()
)
_row = pg_insert(LivePosition).from_select(
    ["user_id", "position"], select(_counts.c.user_id, _counts.c.count).order_by(_counts.c.user_id)
)
_TAKE = _row.on_conflict_do_update(
    index_elements=[LivePosition.user_id], set_={"position": LivePosition.position + _row.excluded.position}
).returning(LivePosition.user_id, LivePosition.position)


@dataclass(slots=True)
class Frame:
    """What open connections of a user are sent. `position` is its number, known once it is written."""

    user_id: UUID
    type: str
    data: dict[str, Any]
    position: int = 0


def collect(session: AsyncSession, frame: Frame) -> Frame:
    """Have `write` write it."""
    collected(session).append(frame)
    return frame


def collected(session: AsyncSession) -> list[Frame]:
    """All that was collected in this transaction; the list grows with it, and has the numbers once they are written."""
    frames: list[Frame] = session.info.setdefault(_FRAMES, [])
    return frames


async def write(session: AsyncSession) -> None:
    """Number and write what was collected; nothing about users deleted in the same transaction."""
    erased = known_erased(session)
    frames = [frame for frame in session.info.pop(_FRAMES, ()) if not erased.get(frame.user_id)]
    if not frames:
        return
    counts = Counter(frame.user_id for frame in frames)
    connection = await session.connection()
    taken = await connection.execute(_TAKE, {"users": list(counts), "counts": list(counts.values())})
    last = {row.user_id: row.position for row in taken}
    next_of = {user_id: last[user_id] - count for user_id, count in counts.items()}
    for frame in frames:
        next_of[frame.user_id] += 1
        frame.position = next_of[frame.user_id]
    moment = now()
    await connection.execute(
        insert(LiveFrame),
        [
            {
                "user_id": frame.user_id,
                "position": frame.position,
                "type": frame.type,
                "data": frame.data,
                "created_at": moment,
            }
            for frame in frames
        ],
    )
