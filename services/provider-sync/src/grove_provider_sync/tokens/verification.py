"""Whether the audit of tokens is whole: nothing in it was changed, removed or put elsewhere.

What can't show is a chain without its end: nobody but the chain itself knows how long it was.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, tuple_

from grove.postgres.reads import Reads, Row, Statement
from grove.security.audit import START, digest
from grove_provider_sync.models import TokenAudit

AT_ONCE = 1000

_ORDER = (TokenAudit.connection_id, TokenAudit.position)
_READ = select(
    TokenAudit.id,
    TokenAudit.connection_id,
    TokenAudit.position,
    TokenAudit.provider,
    TokenAudit.action,
    TokenAudit.at,
    TokenAudit.entry,
    TokenAudit.hash,
)
_AFTER = tuple_(*_ORDER) > tuple_(bindparam("connection_id"), bindparam("position"))
_ALL = Statement(_READ.where(_AFTER).order_by(*_ORDER).limit(AT_ONCE))
_ONE = Statement(
    _READ.where(TokenAudit.connection_id == bindparam("connection_id"), TokenAudit.position > bindparam("position"))
    .order_by(TokenAudit.position)
    .limit(AT_ONCE)
)


class TokenChainBroken(Exception):
    """An entry does not follow from the one before, or its row says something else. `position` counts from 1."""

    def __init__(self, connection_id: UUID, position: int) -> None:
        super().__init__(
            f"The audit of connection {connection_id} breaks at entry {position}: it was changed, or one before it is "
            "missing."
        )
        self.connection_id = connection_id
        self.position = position


async def verify(reads: Reads, connection_id: UUID | None = None) -> int:
    """Check the chain of one connection, or all of them; how many entries. Raises TokenChainBroken."""
    statement = _ALL if connection_id is None else _ONE
    chain = _Chain(connection_id or UUID(int=0))
    count = 0
    while rows := await reads.all(statement, connection_id=chain.connection_id, position=chain.position):
        for row in rows:
            chain.add(row)
        count += len(rows)
    return count


class _Chain:
    """As far as it was followed."""

    def __init__(self, connection_id: UUID) -> None:
        self.connection_id = connection_id
        self.position = 0
        self._hash = START

    def add(self, row: Row) -> None:
        """Follow it to the next entry. Raises TokenChainBroken."""
        if row.connection_id != self.connection_id:
            self.connection_id, self.position, self._hash = row.connection_id, 0, START
        self.position += 1
        entry: dict[str, Any] = json.loads(row.entry)
        self._hash = digest(self._hash, entry)
        if row.position != self.position or bytes(row.hash).hex() != self._hash or not _says_the_same(row, entry):
            raise TokenChainBroken(self.connection_id, self.position)


def _says_the_same(row: Row, entry: Mapping[str, Any]) -> bool:
    """Whether the columns by which the log is searched are those of the entry."""
    columns = (str(row.id), str(row.connection_id), f"provider.{row.action}", row.provider, row.at)
    told = (entry["id"], entry["subject_id"], entry["action"], entry["detail"]["provider"])
    return columns == (*told, datetime.fromisoformat(entry["at"]))
