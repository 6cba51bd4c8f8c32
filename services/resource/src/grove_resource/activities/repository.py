"""Queries on activities, always scoped by the acting user."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove_resource.activities.errors import ActivityNotFound, TooManyActivities
from grove_resource.activities.schemas import ActivityRead, VersionRead
from grove_resource.models import Activity, ActivityVersion, Moment

MAX_ACTIVITIES = 200
DELETED_AT_ONCE = 25_000
"""Moments that one statement deletes at most."""
_LOCK_CLASS = 0x6163  # the advisory locks of users' activities
_MOVE_SECONDS = 12
"""How long moving an activity's moments to another version may take."""

ACTIVITY_JSON = JsonRow(
    Activity,
    ActivityRead,
    {
        "id": Activity.id,
        "name": Activity.name,
        "description": Activity.description,
        "data_schema": Activity.data_schema,
        "version": Activity.schema_version,
        "created_at": Activity.created_at,
        "updated_at": Activity.updated_at,
    },
)
VERSION_JSON = JsonRow(
    ActivityVersion,
    VersionRead,
    {
        "version": ActivityVersion.version,
        "data_schema": ActivityVersion.data_schema,
        "created_at": ActivityVersion.created_at,
    },
)
_MINE = (Activity.id == bindparam("activity_id"), Activity.user_id == bindparam("user_id"))
_GET = Statement(ACTIVITY_JSON.select(Activity.version).where(*_MINE))
_IS_THERE = Statement(select(exists().where(*_MINE)))
_COLUMNS = tuple(column.name for column in Activity.__table__.columns)


class ActivityQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, activity_id: UUID) -> tuple[str, int]:
        """One activity's JSON, and the version of its row. Raises ActivityNotFound."""
        row = await self._reads.first(_GET, activity_id=activity_id, user_id=self._user_id)
        if row is None:
            raise ActivityNotFound
        return row[0], row[1]

    async def must_be_there(self, activity_id: UUID) -> None:
        """Raises ActivityNotFound."""
        if not await self._reads.scalar(_IS_THERE, activity_id=activity_id, user_id=self._user_id):
            raise ActivityNotFound


class ActivityRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self.user_id = user_id

    async def locked(self, activity_id: UUID) -> Activity:
        """The activity, apart from the session, locked until the transaction ends: nobody logs a moment of it
        meanwhile. Raises ActivityNotFound.
        """
        activity = await self._session.scalar(
            select(Activity)
            .where(Activity.id == activity_id, Activity.user_id == self.user_id)
            .with_for_update(key_share=True)
        )
        if activity is None:
            raise ActivityNotFound
        self._session.expunge(activity)  # it is written together with its version, in one statement
        return activity

    async def add(self, activity: Activity) -> None:
        """Insert, with its first version. Raises TooManyActivities; of several at a time one waits for the other."""
        await self._session.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, func.hashtext(str(self.user_id)))))
        had = select(func.count()).where(Activity.user_id == self.user_id).scalar_subquery()
        values = [literal(getattr(activity, name), column.type) for name, column in Activity.__table__.columns.items()]
        new = (
            insert(Activity)
            .from_select(_COLUMNS, select(*values).where(had < MAX_ACTIVITIES))
            .returning(Activity.id)
            .cte("new")
        )
        kept = await self._session.execute(
            insert(ActivityVersion)
            .from_select(
                ["activity_id", "version", "data_schema", "created_at"],
                select(
                    new.c.id,
                    literal(activity.schema_version),
                    literal(activity.data_schema, ActivityVersion.data_schema.type),
                    literal(activity.created_at),
                ),
            )
            .returning(ActivityVersion.version)
        )
        if kept.first() is None:
            raise TooManyActivities

    async def save(self, activity: Activity, *, new_version: bool) -> None:
        """Write a locked activity, and its schema as a version if it is a new one."""
        change = (
            update(Activity)
            .where(Activity.id == activity.id)
            .values({name: getattr(activity, name) for name in _COLUMNS if name != "id"})
        )
        if new_version:
            version = insert(ActivityVersion).values(
                activity_id=activity.id,
                version=activity.schema_version,
                data_schema=activity.data_schema,
                created_at=activity.updated_at,
            )
            change = change.add_cte(version.cte("kept"))
        await (await self._session.connection()).execute(change)

    async def remove(self, activity: Activity) -> None:
        """Delete a locked activity; its versions and moments go with it.

        Each statement takes some of its moments along, and the one that takes the last the activity: however many there
        are, none runs into the time limit of a statement.
        """
        place: ColumnElement[object] = literal_column("ctid")
        some = select(place).select_from(Moment).where(Moment.activity_id == activity.id).limit(DELETED_AT_ONCE)
        gone = delete(Moment).where(place.in_(some)).returning(Moment.id).cte("gone")
        count = select(func.count()).select_from(gone).scalar_subquery()
        last = delete(Activity).where(Activity.id == activity.id, count < DELETED_AT_ONCE).add_cte(gone)
        connection = await self._session.connection()
        while not (await connection.execute(last)).rowcount:
            pass

    async def count_moments(self, activity_id: UUID, up_to: int) -> int:
        """How many moments there are; beyond `up_to` it is not told how many."""
        some = select(Moment.id).where(Moment.activity_id == activity_id).limit(up_to + 1).subquery()
        return await self._session.scalar(select(func.count()).select_from(some)) or 0

    async def moments(self, activity_id: UUID, batch: int) -> AsyncIterator[list[tuple[UUID, str]]]:
        """All moments of a locked activity, id and data as JSON, `batch` at a time. Each is locked as it is read.

        One statement, read bit by bit: a second one would see moments that were moved in time at another place.
        """
        rows = await self._session.stream(
            select(Moment.id, cast(Moment.data, Text).label("data"))
            .where(Moment.activity_id == activity_id)
            .with_for_update(),
            execution_options={"yield_per": batch},
        )
        async for part in rows.partitions():
            yield [(row.id, row.data) for row in part]

    async def move_moments(self, activity: Activity, moment: datetime) -> int:
        """Have all moments of a locked activity be of its present version; how many were not."""
        await self._session.execute(text(f"SET LOCAL statement_timeout = '{_MOVE_SECONDS}s'"))
        moved = await (await self._session.connection()).execute(
            update(Moment)
            .where(Moment.activity_id == activity.id, Moment.schema_version != activity.schema_version)
            .values(schema_version=activity.schema_version, version=Moment.version + 1, updated_at=moment)
        )
        return moved.rowcount
