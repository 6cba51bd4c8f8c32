"""Opening and joining digests: one at most is open of a recipient and key, however many facts arrive at once.

Items are collected in a transaction and written as its last statements, in the order of their users, so that two
transactions wait for each other in one direction only. Who joins holds the digest's row until the commit: it is not
mailed meanwhile, and who comes while it is being mailed opens the next one.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.ids import new_id
from grove.service.erasure import known_erased
from grove_notification.models import Digest, DigestItem

_ITEMS = "digest_items"


@dataclass(frozen=True, slots=True)
class Item:
    """Something to tell in a digest. `due_at`: when the digest is mailed if this opens it."""

    user_id: UUID
    key: str
    type: str
    title: str
    message: str
    link: str | None
    created_at: datetime
    due_at: datetime


def collect(session: AsyncSession, item: Item) -> None:
    """Have `write` write it."""
    items: list[Item] = session.info.setdefault(_ITEMS, [])
    items.append(item)


async def write(session: AsyncSession) -> None:
    """Open or join the digests of what was collected; nothing for users deleted in the same transaction."""
    erased = known_erased(session)
    items = [item for item in session.info.pop(_ITEMS, ()) if not erased.get(item.user_id)]
    if not items:
        return
    opening: dict[tuple[UUID, str], datetime] = {}
    for item in items:
        opening.setdefault((item.user_id, item.key), item.due_at)
    connection = await session.connection()
    for user_id, key in sorted(opening):
        digest = pg_insert(Digest).values(user_id=user_id, key=key, due_at=opening[user_id, key])
        join = digest.on_conflict_do_update(index_elements=[Digest.user_id, Digest.key], set_={"due_at": Digest.due_at})
        await connection.execute(join)
    await connection.execute(
        insert(DigestItem),
        [
            {
                "id": new_id(),
                "user_id": item.user_id,
                "key": item.key,
                "type": item.type,
                "title": item.title,
                "message": item.message,
                "link": item.link,
                "created_at": item.created_at,
            }
            for item in items
        ],
    )
