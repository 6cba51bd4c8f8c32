"""The audit_seals collection: the chain over the audit log, written once, never changed."""

from typing import ClassVar
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class AuditSeal(Document):
    """Some entries, chained to those of the seal before, and a signature (audit/seals.py).

    Its id is its position, from 1: of two workers that write the same, one fails. `sealed_at` is text for the same
    reason as an entry's time.
    """

    id: int  # type: ignore[assignment] # Beanie declares its own kind of id
    total: int
    """Entries up to this seal, its own included."""
    entries: list[UUID]
    hashes: list[str]
    """The chain's hash after each of the entries."""
    previous: str
    head: str
    newest: UUID
    complete_below: UUID
    """Every entry with a smaller id is in this seal or one before."""
    sealed_at: str
    key: str
    signature: str

    class Settings:
        """Collection and indexes."""

        name = "audit_seals"
        indexes: ClassVar = [IndexModel("newest", name="newest")]  # which of the newest entries are sealed
