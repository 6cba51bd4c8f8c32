"""Who is calling."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """The bearer of a verified access token, or of an API key.

    An API key has no session (`session_id` is empty) and no roles; its `auth_time` is when it was made, and its
    `token_id` names its present secret.
    """

    user_id: UUID
    session_id: str
    scopes: frozenset[str]
    roles: frozenset[str]
    auth_time: datetime
    expires_at: datetime
    version: int
    global_version: int
    token_id: str
    signing_key_id: str = ""
    """The key that signed the token; empty for an API key."""
    api_key_id: str = ""
    """Empty for an access token."""

    def has(self, scope: str) -> bool:
        """Whether the token's scopes allow `scope`."""
        return scope in self.scopes
