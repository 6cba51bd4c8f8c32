"""The query of search, always scoped by the acting user."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from grove.postgres.reads import Reads, Row, Statement
from grove_resource.search.schemas import HitType

MAX_RANKED = 1_000
"""Of each kind, the newest so many matches are ranked; older ones are not found."""
_HEADLINE = 'StartSel=«, StopSel=», MaxFragments=2, MinWords=5, MaxWords=15, FragmentDelimiter=" … "'

# Each branch begins at rows of the user, by an index on them. Texts are only read for the rows of the page.
_TEXT = f"""
    WITH query AS MATERIALIZED (
        SELECT websearch_to_tsquery('simple', CAST(:q AS text)) AS words
    ), mine AS (
        SELECT id, ts_rank(search, words) AS rank, 'task' AS type FROM tasks CROSS JOIN query
        WHERE user_id = :user_id AND deleted_at IS NULL AND search @@ words
            AND coalesce(CAST(:type AS text), 'task') = 'task'
        ORDER BY created_at DESC, id DESC LIMIT {MAX_RANKED}
    ), shared AS (
        SELECT tasks.id, ts_rank(search, words) AS rank, 'task' AS type
        FROM shares JOIN tasks ON tasks.id = task_id CROSS JOIN query
        WHERE shares.user_id = :user_id AND deleted_at IS NULL AND search @@ words
            AND coalesce(CAST(:type AS text), 'task') = 'task'
        ORDER BY tasks.created_at DESC, tasks.id DESC LIMIT {MAX_RANKED}
    ), logged AS (
        SELECT id, ts_rank(search, words) AS rank, 'moment' AS type FROM moments CROSS JOIN query
        WHERE user_id = :user_id AND search @@ words AND coalesce(CAST(:type AS text), 'moment') = 'moment'
        ORDER BY occurred_at DESC, id DESC LIMIT {MAX_RANKED}
    ), found AS (
        SELECT id, type, CAST(rank * 1000000 AS integer) AS rank
        FROM (SELECT * FROM mine UNION ALL SELECT * FROM shared UNION ALL SELECT * FROM logged) every
    ), page AS MATERIALIZED (
        SELECT id, type, rank FROM found
        WHERE CAST(:after_rank AS integer) IS NULL
            OR (rank, id) < (CAST(:after_rank AS integer), CAST(:after_id AS uuid))
        ORDER BY rank DESC, id DESC LIMIT CAST(:size AS integer)
    )
    SELECT page.type, page.id, page.rank, coalesce(tasks.title, activities.name) AS title,
        coalesce(tasks.updated_at, moments.occurred_at) AS at,
        ts_headline('simple', coalesce(tasks.title || E'\\n' || tasks.description, spoken.words), query.words,
            :headline) AS snippet
    FROM page CROSS JOIN query
    LEFT JOIN tasks ON page.type = 'task' AND tasks.id = page.id
    LEFT JOIN moments ON page.type = 'moment' AND moments.id = page.id
    LEFT JOIN activities ON activities.id = moments.activity_id
    LEFT JOIN LATERAL (
        SELECT string_agg(word #>> '{{}}', E'\\n') AS words
        FROM jsonb_path_query(moments.data, 'strict $.** ? (@.type() == "string")') word
    ) spoken ON true
    ORDER BY page.rank DESC, page.id DESC
"""  # noqa: S608 - a constant
_SEARCH = Statement(_TEXT)


class SearchQueries:
    """Searches, in one statement."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def find(self, q: str, kind: HitType | None, size: int, after: tuple[int, UUID] | None) -> Sequence[Row]:
        """The `size` best matches behind a place, which is a rank and an id."""
        values: dict[str, Any] = {"q": q, "type": kind, "size": size, "headline": _HEADLINE}
        rank, last = after or (None, None)
        return await self._reads.all(_SEARCH, **values, user_id=self._user_id, after_rank=rank, after_id=last)
