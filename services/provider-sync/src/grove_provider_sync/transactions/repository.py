"""Queries on transactions: applying a provider's page."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, all_, any_, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.ids import new_id
from grove.postgres.json_rows import JsonRow
from grove.postgres.subqueries import evaluated_once
from grove_provider_sync.accounts.schemas import money
from grove_provider_sync.models import Transaction
from grove_provider_sync.providers.checks import UnreadableAnswer, checked_transaction, is_id
from grove_provider_sync.providers.interface import TransactionData, TransactionPage, Window
from grove_provider_sync.transactions.schemas import TransactionRead

TRANSACTION_JSON = JsonRow(
    Transaction,
    TransactionRead,
    {
        "id": Transaction.id,
        "account_id": Transaction.account_id,
        "amount": money(Transaction.amount),
        "currency": Transaction.currency,
        "description": Transaction.description,
        "category": Transaction.category,
        "status": Transaction.status,
        "booked_at": Transaction.booked_at,
        "value_at": Transaction.value_at,
        "updated_at": Transaction.updated_at,
    },
)


MAX_PAGE = 10_000
AT_ONCE = 5000
"""Rows that one statement marks at most."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Our ids of what a page changed."""

    added: list[UUID]
    changed: list[UUID]
    removed: list[UUID]

    @property
    def any(self) -> bool:
        """Whether the page changed anything."""
        return bool(self.added or self.changed or self.removed)

    def and_removed(self, more: list[UUID]) -> "Changes":
        """With these removed as well."""
        return replace(self, removed=[*self.removed, *more])


class TransactionRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def apply(
        self, connection_id: UUID, accounts: Mapping[str, UUID], page: TransactionPage, *, seen_at: datetime | None
    ) -> Changes:
        """Upsert by the provider's id; what is the same already changes nothing. Removed ones are marked.

        A posted booking takes over the row of the pending one that it replaces. `seen_at` is the mark of a walk
        that reads everything. Raises UnreadableAnswer.
        """
        if len(page.changed) + len(page.removed) > MAX_PAGE:
            raise UnreadableAnswer("more at once than it should")
        # Of one id twice on a page the later entry holds; bookings of accounts we may not see are passed over.
        given = {item.id: checked_transaction(item) for item in page.changed if item.account_id in accounts}
        gone = {key for key in page.removed if is_id(key)}
        posted = {item.replaces for key, item in given.items() if item.replaces and key not in gone}
        latest = {key: item for key, item in given.items() if key not in posted}
        known = await self._known(connection_id, {*latest, *posted})
        taken = await self._take_over(connection_id, known, latest)
        hashes = {key: _hash(item) for key, item in latest.items()}
        fresh = {key: item for key, item in latest.items() if known.get(key) != hashes[key]}
        stored = await self._upsert(connection_id, accounts, fresh, hashes, seen_at)
        if seen_at is not None:
            await self._mark_seen(connection_id, [key for key in latest if key not in fresh], seen_at)
        removed = await self._remove_named(connection_id, list((gone | posted) - latest.keys()))
        if page.whole is not None and page.whole.account_id in accounts:
            removed += await self._remove_missing(accounts[page.whole.account_id], page.whole, list(latest))
        there = known.keys() | taken
        return Changes(
            added=[row for key, row in stored.items() if key not in there],
            changed=[row for key, row in stored.items() if key in there],
            removed=removed,
        )

    async def remove_unseen(self, connection_id: UUID, seen_at: datetime) -> list[UUID]:
        """Mark what a walk that reads everything has not met: it has left its mark `seen_at` on all others. In pieces:
        however many they are, no statement runs into its time limit.
        """
        unseen = (Transaction.connection_id == connection_id, Transaction.seen_at.is_distinct_from(seen_at))
        removed: list[UUID] = []
        while True:
            some = select(Transaction.id).where(*unseen, Transaction.removed_at.is_(None)).limit(AT_ONCE)
            piece = await self._remove(Transaction.id.in_(evaluated_once(some)))
            removed += piece
            if len(piece) < AT_ONCE:
                return removed

    async def _known(self, connection_id: UUID, keys: Collection[str]) -> dict[str, bytes | None]:
        """The hash of each of them that has a row, None for one that is marked as removed."""
        rows = await self._run(_KNOWN, connection_id, list(keys))
        return {row.provider_id: None if row.removed_at else row.payload_hash for row in rows}

    async def _take_over(
        self, connection_id: UUID, known: Mapping[str, bytes | None], items: Mapping[str, TransactionData]
    ) -> set[str]:
        """Rename pending rows after the posted bookings that replace them; which bookings have a row by that."""
        pairs = {
            item.replaces: key
            for key, item in items.items()
            if item.replaces in known and key not in known and item.replaces not in items
        }
        if not pairs:
            return set()
        await self._run(_TAKE_OVER, connection_id, list(pairs), list(pairs.values()))
        return set(pairs.values())

    async def _upsert(
        self,
        connection_id: UUID,
        accounts: Mapping[str, UUID],
        items: Mapping[str, TransactionData],
        hashes: Mapping[str, bytes],
        seen_at: datetime | None,
    ) -> dict[str, UUID]:
        if not items:
            return {}
        columns = zip(
            *(
                (
                    new_id(),
                    accounts[item.account_id],
                    key,
                    hashes[key],
                    item.amount,
                    item.currency,
                    item.description,
                    item.category,
                    item.status,
                    item.booked_at,
                    item.value_at,
                    item.replaces,
                )
                for key, item in items.items()
            ),
            strict=True,
        )
        rows = await self._run(_UPSERT, self._user_id, connection_id, now(), seen_at, *(list(each) for each in columns))
        return {row.provider_id: row.id for row in rows}

    async def _mark_seen(self, connection_id: UUID, keys: list[str], seen_at: datetime) -> None:
        if keys:
            same = (Transaction.connection_id == connection_id, Transaction.provider_id == any_(_texts(keys)))
            await self._session.execute(update(Transaction).where(*same).values(seen_at=seen_at))

    async def _remove_named(self, connection_id: UUID, keys: list[str]) -> list[UUID]:
        if not keys:
            return []
        named = (Transaction.connection_id == connection_id, Transaction.provider_id == any_(_texts(keys)))
        return await self._remove(*named)

    async def _remove_missing(self, account_id: UUID, window: Window, keys: list[str]) -> list[UUID]:
        return await self._remove(
            Transaction.account_id == account_id,
            Transaction.booked_at >= window.start,
            Transaction.booked_at < window.end,
            Transaction.provider_id != all_(_texts(keys)),
        )

    async def _remove(self, *conditions: ColumnElement[bool]) -> list[UUID]:
        moment = now()
        gone = await self._session.execute(
            update(Transaction)
            .where(*conditions, Transaction.removed_at.is_(None))
            .values(removed_at=moment, updated_at=moment)
            .returning(Transaction.id)
        )
        return list(gone.scalars())

    async def _run(self, statement: str, *values: Any) -> Sequence[Any]:
        connection = await self._session.connection()
        result = await connection.exec_driver_sql(statement, values)
        return result.all() if result.returns_rows else ()


def _texts(keys: list[str]) -> ColumnElement[list[str]]:
    """As one argument, of which there are not as many as one likes."""
    return literal(keys, ARRAY(Text))


_KNOWN = """
SELECT t.provider_id, t.payload_hash, t.removed_at FROM transactions t JOIN unnest($2::text[]) k ON t.provider_id = k
WHERE t.connection_id = $1
"""
_TAKE_OVER = """
UPDATE transactions AS t
SET provider_id = r.posted, payload_hash = ''
FROM unnest($2::text[], $3::text[]) AS r(pending, posted)
WHERE t.connection_id = $1 AND t.provider_id = r.pending
"""
_UPSERT = """
INSERT INTO transactions AS t (
    user_id, connection_id, updated_at, seen_at,
    id, account_id, provider_id, payload_hash, amount, currency, description, category, status, booked_at, value_at,
    pending_provider_id
)
SELECT $1, $2, $3, $4, r.*
FROM unnest(
    $5::uuid[], $6::uuid[], $7::text[], $8::bytea[], $9::numeric[], $10::text[], $11::text[], $12::text[], $13::text[],
    $14::date[], $15::date[], $16::text[]
) AS r
ON CONFLICT ON CONSTRAINT uq_transactions_provider_id DO UPDATE SET
    account_id = excluded.account_id, payload_hash = excluded.payload_hash, amount = excluded.amount,
    currency = excluded.currency, description = excluded.description, category = excluded.category,
    status = excluded.status, booked_at = excluded.booked_at, value_at = excluded.value_at,
    pending_provider_id = coalesce(excluded.pending_provider_id, t.pending_provider_id),
    updated_at = excluded.updated_at, seen_at = excluded.seen_at, removed_at = NULL
RETURNING t.provider_id, t.id
"""


def _hash(item: TransactionData) -> bytes:
    content = (
        item.account_id,
        str(item.amount),
        item.currency,
        item.description,
        item.category,
        item.status,
        str(item.booked_at),
        str(item.value_at),
        item.replaces,
    )
    return hashlib.sha256(json.dumps(content).encode()).digest()
