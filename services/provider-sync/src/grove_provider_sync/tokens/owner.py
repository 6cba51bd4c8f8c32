"""Whose tokens they are, or were."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from grove_provider_sync.models import Connection


@dataclass(frozen=True, slots=True)
class Owner:
    """A connection, as far as its tokens go."""

    connection_id: UUID
    user_id: UUID
    provider: str

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """A connection that is there."""
        return cls(connection.id, connection.user_id, connection.provider)
