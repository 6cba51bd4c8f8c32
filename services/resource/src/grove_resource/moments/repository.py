"""Queries on moments, always scoped by the acting user."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove_resource.activities.errors import ActivityNotFound
from grove_resource.models import Activity, ActivityVersion, Moment
from grove_resource.moments.errors import MomentNotFound
from grove_resource.moments.schemas import MomentRead

MOMENT_JSON = JsonRow(
    Moment,
    MomentRead,
    {
        "id": Moment.id,
        "activity_id": Moment.activity_id,
        "schema_version": Moment.schema_version,
        "occurred_at": Moment.occurred_at,
        "data": Moment.data,
        "created_at": Moment.created_at,
        "updated_at": Moment.updated_at,
    },
)
_GET = Statement(
    MOMENT_JSON.select(Moment.version).where(
        Moment.id == bindparam("moment_id"), Moment.user_id == bindparam("user_id")
    )
)
_PRESENT = Statement(
    select(Activity.schema_version, Activity.data_schema).where(
        Activity.id == bindparam("activity_id"), Activity.user_id == bindparam("user_id")
    )
)
_WITH_SCHEMA = Statement(
    select(Moment.activity_id, Moment.schema_version, Moment.data, ActivityVersion.data_schema)
    .join(
        ActivityVersion,
        (ActivityVersion.activity_id == Moment.activity_id) & (ActivityVersion.version == Moment.schema_version),
    )
    .where(Moment.id == bindparam("moment_id"), Moment.user_id == bindparam("user_id"))
)


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """A schema of an activity."""

    activity_id: UUID
    version: int
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Logged:
    """What a moment holds, and the schema that it was logged under."""

    data: dict[str, Any]
    under: SchemaVersion


@dataclass(frozen=True, slots=True)
class Locked:
    """A moment for change. `present` is None unless another activity was asked for, and is the user's."""

    moment: Moment
    schema: dict[str, Any]
    present: SchemaVersion | None


class MomentQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, moment_id: UUID) -> tuple[str, int]:
        """One moment's JSON, and its version. Raises MomentNotFound."""
        row = await self._reads.first(_GET, moment_id=moment_id, user_id=self._user_id)
        if row is None:
            raise MomentNotFound
        return row[0], row[1]

    async def present_schema(self, activity_id: UUID) -> SchemaVersion | None:
        """The schema that an activity of the user has at this moment."""
        row = await self._reads.first(_PRESENT, activity_id=activity_id, user_id=self._user_id)
        return None if row is None else SchemaVersion(activity_id, row.schema_version, json.loads(row.data_schema))

    async def logged(self, moment_id: UUID) -> Logged | None:
        """What a moment of the user holds at this moment."""
        row = await self._reads.first(_WITH_SCHEMA, moment_id=moment_id, user_id=self._user_id)
        if row is None:
            return None
        under = SchemaVersion(row.activity_id, row.schema_version, json.loads(row.data_schema))
        return Logged(json.loads(row.data), under)


class MomentRepository:
    """Rows for change, in a transaction. Who locks both locks the activity before the moment."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self.user_id = user_id

    async def present_schema(self, activity_id: UUID) -> SchemaVersion:
        """What a new moment of the activity must satisfy. It stays so until the transaction ends.

        Raises ActivityNotFound.
        """
        row = (await self._session.execute(self._present(activity_id))).first()
        if row is None:
            raise ActivityNotFound
        return SchemaVersion(activity_id, row.schema_version, row.data_schema)

    async def locked(self, moment_id: UUID, activity_id: UUID | None) -> Locked:
        """The moment, locked until the transaction ends, with the schema that it was logged under, and the one that
        it must satisfy in the activity it shall be in. Raises MomentNotFound.
        """
        own = _schema_of(Moment.activity_id, Moment.schema_version).scalar_subquery()
        # Its lock is taken first, for the row is needed before the joined one is locked.
        target = self._present(activity_id or UUID(int=0)).cte("target")
        found = await self._session.execute(
            select(Moment, own, target.c.schema_version, target.c.data_schema)
            .outerjoin(target, true())
            .where(Moment.id == moment_id, Moment.user_id == self.user_id)
            .with_for_update(of=Moment)
        )
        row = found.first()
        if row is None:
            raise MomentNotFound
        moment, schema, version, present = row
        if schema is None:  # moved, while this waited for the lock, to a version that the statement could not see yet
            schema = await self._session.scalar(_schema_of(moment.activity_id, moment.schema_version))
        if activity_id is None or version is None:
            return Locked(moment, schema, None)
        return Locked(moment, schema, SchemaVersion(activity_id, version, present))

    async def add(self, moment: Moment) -> None:
        """Insert."""
        self._session.add(moment)
        await self._session.flush()

    async def save(self, _: Moment) -> None:
        """Write the changes of a locked moment."""
        await self._session.flush()

    async def remove(self, moment: Moment) -> None:
        """Delete."""
        await self._session.delete(moment)
        await self._session.flush()

    def _present(self, activity_id: UUID) -> Select[Any]:
        return (
            select(Activity.schema_version, Activity.data_schema)
            .where(Activity.id == activity_id, Activity.user_id == self.user_id)
            .with_for_update(read=True)
        )


def _schema_of(activity_id: Any, version: Any) -> Any:
    return select(ActivityVersion.data_schema).where(
        ActivityVersion.activity_id == activity_id, ActivityVersion.version == version
    )
