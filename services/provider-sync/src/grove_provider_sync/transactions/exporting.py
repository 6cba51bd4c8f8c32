"""Writing an export, page by page: no connection is held while a slow client takes them."""

import csv
import io
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from grove.core.clock import rfc3339
from grove.postgres.reads import Reads
from grove.web.pagination import ListQuery
from grove_provider_sync.transactions.listing import TRANSACTIONS, ExportFilter
from grove_provider_sync.transactions.schemas import TransactionRead

log = structlog.get_logger()

MAX_SECONDS = 900
COLUMNS = tuple(TransactionRead.model_fields)
_TEXTS = frozenset({"description", "category"})
_FORMULA = re.compile(r'(^|;)([\s"]*)(?=[=+\-@＝＋－＠])')


class ExportPages:
    """Reads a hundred transactions at a time, a statement each."""

    def __init__(self, reads: Reads, user_id: UUID, wanted: ExportFilter) -> None:
        self._reads = reads
        self._given = wanted.of(user_id)
        self._sort = wanted.sort

    async def page(self, cursor: str) -> tuple[str | None, str | None]:
        """The transactions behind the cursor as JSON, joined by commas, and the next cursor. Raises Invalid."""
        return await TRANSACTIONS.walk(self._reads, ListQuery(size=100, cursor=cursor, sort=self._sort), self._given)

    async def behind(self, cursor: str | None, check: Callable[[], Awaitable[None]]) -> AsyncIterator[str]:
        """All other pages. `check` is called before each, and raises when no more may be told.

        Raises TimeoutError for a client that takes longer than MAX_SECONDS.
        """
        started, count = time.monotonic(), 1
        try:
            while cursor is not None:
                await check()
                if time.monotonic() - started > MAX_SECONDS:
                    raise TimeoutError
                items, cursor = await self.page(cursor)
                count += 1
                if items:
                    yield items
        except Exception as error:
            log.error("export.broken", pages=count, reason=str(error) or type(error).__name__)
            raise


async def as_json(first: str | None, others: AsyncIterator[str], exported_at: datetime) -> AsyncIterator[str]:
    """One object, with all of them in an array. After an error what was sent until then is no JSON."""
    yield f'{{"exported_at":"{rfc3339(exported_at)}","transactions":[{first or ""}'
    async for items in others:
        yield f",{items}"
    yield "]}"


async def as_csv(first: str | None, others: AsyncIterator[str]) -> AsyncIterator[str]:
    """A header and a line each (RFC 4180)."""
    yield _lines([COLUMNS]) + _rows(first or "")
    async for items in others:
        yield _rows(items)


def _rows(items: str) -> str:
    return _lines([_cell(name, item[name]) for name in COLUMNS] for item in json.loads(f"[{items}]"))


def _lines(rows: Any) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def _cell(name: str, value: str | None) -> str | None:
    return neutral(value) if value and name in _TEXTS else value


def neutral(text: str) -> str:
    """Text that no spreadsheet takes for a formula: with an apostrophe before what would begin one.

    That is the beginning of the cell, and what follows a semicolon: where a spreadsheet splits lines at semicolons, it
    does not see the quotation marks around the whole. What is not text needs none of it: amounts, days and ids are as
    we write them, and `'-12.50` could not be summed.
    """
    return _FORMULA.sub(r"\1\2'", text)
