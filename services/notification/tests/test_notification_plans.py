"""Marking all as read costs what it marks, and no statement more than a piece: whatever others have, planned or not."""

import json
from uuid import UUID

import pytest
from sqlalchemy import Executable, text
from sqlalchemy.dialects import postgresql

from grove.core.ids import new_id
from grove.testing.plans import generic_plan, scans
from grove_notification.notifications.repository import _NEWEST_UNREAD, marking, unread_between

pytestmark = pytest.mark.integration
OTHERS, EACH, MINE, PIECE = 40, 1000, 3000, 100
FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
NOTIFICATIONS = """INSERT INTO notifications (id, user_id, type, title, message, created_at, read_at)
SELECT uuidv7(), u, 'TASK_CREATED', 't', 'm', now(), CASE WHEN n % 2 = 0 THEN now() END
FROM unnest(CAST(:users AS uuid[])) u, generate_series(1, CAST(:many AS int)) n"""


@pytest.fixture(params=[False, True], ids=["no statistics", "analysed"])
async def user(resources, request):
    me = new_id()
    async with resources.engine.begin() as connection:
        await connection.execute(text("TRUNCATE notifications"))  # with it go the statistics
        for users, many in (([new_id() for _ in range(OTHERS)], EACH), ([me], 2 * MINE)):
            await connection.execute(text(NOTIFICATIONS), {"users": users, "many": many})
        if request.param:
            await connection.execute(text("ANALYZE notifications"))
    return me


async def read(connection, statement: Executable) -> list[tuple[str, float]]:
    """What the statement goes through."""
    compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    explained = await connection.scalar(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}".replace(":", r"\:")))
    plan = explained if isinstance(explained, list) else json.loads(explained)
    return list(scans(plan[0]["Plan"]))


async def test_a_piece_reads_itself(resources, user):
    async with resources.engine.connect() as connection:
        piece = unread_between(user, FIRST, LAST).limit(PIECE).with_for_update()
        assert await read(connection, piece) == [("ix_notifications_unread", PIECE)]
        ids = (await connection.scalars(piece)).all()
        assert {rows for _, rows in await read(connection, marking(ids))} == {PIECE}
        rest = (await connection.scalars(unread_between(user, ids[-1], LAST))).all()
        assert (len(rest), set(rest) & set(ids)) == (MINE - PIECE, set())


async def test_the_newest_of_what_is_unread_is_one_row(resources, user):
    async with resources.reads._running(_NEWEST_UNREAD) as connection:
        arguments = _NEWEST_UNREAD.arguments({"user_id": user})
        plan = await generic_plan(connection, _NEWEST_UNREAD.text, arguments)
    assert list(scans(plan)) == [("ix_notifications_unread", 1)]
