"""Who is calling."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """The bearer of a verified access token."""

    user_id: UUID
    session_id: str
    scopes: frozenset[str]
    roles: frozenset[str]
    auth_time: datetime
    expires_at: datetime
    version: int
    global_version: int
    token_id: str

    def has(self, scope: str) -> bool:
        """Whether the token's scopes allow `scope`."""
        return scope in self.scopes
