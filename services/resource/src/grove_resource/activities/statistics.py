"""Statistics of an activity's moments: how many in each bucket of time, and what their numbers come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from pydantic import Field

from grove.core.errors import Invalid
from grove.core.schema import Moment
from grove.postgres.reads import Reads, Row, Statement
from grove.web.pagination import invalid_query
from grove_resource.activities.errors import ActivityNotFound
from grove_resource.activities.periods import MAX_BUCKETS, Period, StatisticsQuery

MAX_FIELDS = 20
_FIELD_DEPTH = 3
_AVERAGE_DIGITS = 12
_NONE = "{}"
_REGIONS = {"CET": "Europe/Brussels", "EET": "Europe/Athens", "MET": "Europe/Brussels", "WET": "Europe/Lisbon"}
"""What PostgreSQL takes for an abbreviation, without summer time, and the region that IANA has the name stand for."""
_REGION = " ".join(f"WHEN '{name}' THEN '{region}'" for name, region in _REGIONS.items())

_STATISTICS = Statement(
    f"""
    WITH RECURSIVE activity AS MATERIALIZED (
        SELECT a.id, a.data_schema, asked.timezone, CASE asked.timezone {_REGION} ELSE asked.timezone END AS zone
        FROM activities a LEFT JOIN users u ON u.id = a.user_id
        CROSS JOIN LATERAL (SELECT coalesce(CAST(:timezone AS text), u.timezone, 'UTC') AS timezone) asked
        WHERE a.id = :activity_id AND a.user_id = :user_id
    ), span AS MATERIALIZED (
        SELECT id, timezone, zone, CAST(:finish AS timestamptz) AS finish, coalesce(
            CAST(:start AS timestamptz),
            (date_trunc(:period, CAST(:finish AS timestamptz) AT TIME ZONE zone - interval '1 microsecond')
                - (CAST(:before AS text) || ' ' || CAST(:period AS text))::interval) AT TIME ZONE zone
        ) AS start
        FROM activity
    ), node(path, schema) AS (
        SELECT ARRAY[]::text[], data_schema FROM activity
        UNION ALL
        SELECT path || property.key, property.value
        FROM node CROSS JOIN LATERAL jsonb_each(schema -> 'properties') property
        WHERE cardinality(path) < {_FIELD_DEPTH} AND property.key <> '' AND strpos(property.key, '.') = 0
    ), field AS MATERIALIZED (
        SELECT path, array_to_string(path, '.') AS name FROM node
        WHERE cardinality(path) > 0 AND schema -> 'type' ?| ARRAY['number', 'integer']
        ORDER BY cardinality(path), path LIMIT {MAX_FIELDS}
    ), tally AS (
        SELECT date_trunc(:period, occurred_at AT TIME ZONE zone) AS local, name, count(*) AS moments,
            count(number) AS count, sum(number) AS sum, min(number) AS min, avg(number) AS avg, max(number) AS max
        FROM span
        JOIN moments ON activity_id = span.id AND occurred_at >= span.start AND occurred_at < span.finish
        CROSS JOIN (SELECT path, name FROM field UNION ALL SELECT NULL, NULL) field
        CROSS JOIN LATERAL (
            SELECT CASE WHEN jsonb_typeof(data #> path) = 'number' THEN (data #>> path)::numeric END AS number
        ) value
        GROUP BY 1, 2
    ), bucket AS (
        SELECT local, local AT TIME ZONE zone AS start FROM span CROSS JOIN generate_series(
            date_trunc(:period, span.start AT TIME ZONE zone),
            finish AT TIME ZONE zone - interval '1 microsecond',
            ('1 ' || CAST(:period AS text))::interval
        ) local
    ), measured AS (
        SELECT local, json_object_agg(field.name, json_build_object(
            'count', coalesce(count, 0), 'sum', trim_scale(coalesce(sum, 0)), 'min', trim_scale(min),
            'avg', trim_scale(round(avg, {_AVERAGE_DIGITS})), 'max', trim_scale(max)
        ) ORDER BY cardinality(field.path), field.path)::text AS fields
        FROM bucket CROSS JOIN field LEFT JOIN tally USING (local, name)
        GROUP BY local
    )
    SELECT span.start AS from_time, span.timezone, bucket.start, coalesce(moments, 0) AS moments,
        fields
    FROM span CROSS JOIN bucket
    LEFT JOIN measured USING (local)
    LEFT JOIN tally ON tally.local = bucket.local AND tally.name IS NULL
    ORDER BY bucket.local
    """  # noqa: S608 - the names of constants
)


@dataclass(slots=True, kw_only=True)
class FieldStatistics:
    """A number that moments hold. `count` is how many of them have it; without any, the others are null."""

    count: int
    sum: float
    min: float | None
    avg: float | None
    max: float | None


@dataclass(slots=True, kw_only=True)
class Bucket:
    """A stretch of time. `fields` has each numeric property of the schema, nested ones as `outer.inner`."""

    start: Moment
    count: int
    fields: dict[str, FieldStatistics]


@dataclass(slots=True, kw_only=True)
class StatisticsRead:
    """Counts and sums over time. Buckets without moments are there too."""

    activity_id: UUID
    period: Period
    from_: Annotated[Moment, Field(alias="from")]
    to: Moment
    timezone: str
    buckets: list[Bucket]


class StatisticsQueries:
    """Reads statistics, in one statement."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, activity_id: UUID, wanted: StatisticsQuery) -> str:
        """The answer as JSON. Raises ActivityNotFound, and Invalid for too many buckets or an unknown timezone."""
        finish = wanted.finish
        rows = await self._rows(activity_id, wanted, finish)
        if not rows:
            raise ActivityNotFound
        if len(rows) > MAX_BUCKETS:
            raise _too_many()
        buckets = ",".join(
            f'{{"start":"{_time(row.start)}","count":{row.moments},"fields":{row.fields or _NONE}}}' for row in rows
        )
        return (
            f'{{"activity_id":"{activity_id}","period":"{wanted.period}","from":"{_time(rows[0].from_time)}",'
            f'"to":"{_time(finish)}","timezone":"{rows[0].timezone}","buckets":[{buckets}]}}'
        )

    async def _rows(self, activity_id: UUID, wanted: StatisticsQuery, finish: datetime) -> Sequence[Row]:
        values: dict[str, Any] = {
            "activity_id": activity_id,
            "user_id": self._user_id,
            "period": wanted.period.value,
            "before": str(wanted.period.usual - 1),
            "start": wanted.start,
            "finish": finish,
        }
        try:
            return await self._reads.all(_STATISTICS, **values, timezone=wanted.timezone)
        except asyncpg.InvalidParameterValueError:  # the database knows other timezones than we do
            if wanted.timezone is not None:
                raise invalid_query("timezone", "is no IANA timezone") from None
        return await self._reads.all(_STATISTICS, **values, timezone="UTC")


def _too_many() -> Invalid:
    return invalid_query("from", f"this would be more than {MAX_BUCKETS} buckets")


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
