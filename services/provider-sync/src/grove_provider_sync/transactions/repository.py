"""Queries on transactions: applying a provider's page."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.ids import new_id
from grove.postgres.json_rows import JsonRow
from grove_provider_sync.accounts.schemas import money
from grove_provider_sync.models import Transaction
from grove_provider_sync.providers.interface import TransactionData, TransactionPage
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


class TransactionRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def apply(self, connection_id: UUID, accounts: Mapping[str, UUID], page: TransactionPage) -> Changes:
        """Upsert by the provider's id; what is the same already changes nothing. Removed ones are marked."""
        # Of one id twice on a page the later entry holds; bookings of accounts we may not see are passed over.
        latest = {item.id: item for item in page.changed if item.account_id in accounts}
        known = await self._known(connection_id, list(latest))
        gone = [item.replaces for item in latest.values() if item.replaces] + list(page.removed)
        hashes = {key: _hash(item) for key, item in latest.items()}
        fresh = {key: item for key, item in latest.items() if known.get(key) != hashes[key]}
        stored = await self._upsert(connection_id, accounts, fresh, hashes)
        removed = await self._remove(connection_id, [key for key in gone if key not in latest])
        return Changes(
            added=[row for key, row in stored.items() if key not in known],
            changed=[row for key, row in stored.items() if key in known],
            removed=removed,
        )

    async def _known(self, connection_id: UUID, ids: list[str]) -> dict[str, bytes | None]:
        rows = await self._session.execute(
            select(Transaction.provider_id, Transaction.payload_hash, Transaction.removed_at).where(
                Transaction.connection_id == connection_id, Transaction.provider_id.in_(ids)
            )
        )
        return {row.provider_id: None if row.removed_at else row.payload_hash for row in rows}

    async def _upsert(
        self,
        connection_id: UUID,
        accounts: Mapping[str, UUID],
        items: Mapping[str, TransactionData],
        hashes: Mapping[str, bytes],
    ) -> dict[str, UUID]:
        if not items:
            return {}
        moment = now()
        row = insert(Transaction).values(
            [
                {
                    "id": new_id(),
                    "user_id": self._user_id,
                    "connection_id": connection_id,
                    "account_id": accounts[item.account_id],
                    "provider_id": key,
                    "payload_hash": hashes[key],
                    "amount": item.amount,
                    "currency": item.currency,
                    "description": item.description[:500],
                    "category": item.category,
                    "status": item.status,
                    "booked_at": item.booked_at,
                    "value_at": item.value_at,
                    "updated_at": moment,
                    "removed_at": None,
                }
                for key, item in items.items()
            ]
        )
        given = [name for name in TransactionRead.model_fields if name != "id"]
        changing: dict[str, Any] = {name: row.excluded[name] for name in ("payload_hash", *given)}
        changing["removed_at"] = None
        stored = await self._session.execute(
            row.on_conflict_do_update(constraint="uq_transactions_provider_id", set_=changing).returning(
                Transaction.provider_id, Transaction.id
            )
        )
        return {found.provider_id: found.id for found in stored}

    async def _remove(self, connection_id: UUID, ids: list[str]) -> list[UUID]:
        if not ids:
            return []
        moment = now()
        gone = await self._session.execute(
            update(Transaction)
            .where(
                Transaction.connection_id == connection_id,
                Transaction.provider_id.in_(ids),
                Transaction.removed_at.is_(None),
            )
            .values(removed_at=moment, updated_at=moment)
            .returning(Transaction.id)
        )
        return list(gone.scalars())


def _hash(item: TransactionData) -> bytes:
    content: dict[str, Any] = asdict(item)
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).digest()
