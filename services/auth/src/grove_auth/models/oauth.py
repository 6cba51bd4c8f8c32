"""The collections of a sign-in that is under way at an outside issuer."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from beanie import Document
from pymongo import IndexModel

Purpose = Literal["sign_in", "link", "reauthenticate"]


class OAuthFlow(Document):
    """A browser that went to a provider, by the hash of its `state`. Used once: who deletes it goes on.

    `browser_hash`: of the key in the browser's cookie. PKCE verifier and nonce are derived from that key, and so can't
    be had from here. `user_id`, `session_id` and `token_version`: of whom was signed in when it began.
    """

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    purpose: Purpose
    provider: str
    browser_hash: bytes
    redirect_uri: str
    code_challenge: str | None = None
    options: dict[str, Any] = {}
    name: str | None = None
    """What the provider calls the person outside its ID token (Apple, at the first time only)."""
    user_id: UUID | None = None
    session_id: str | None = None
    token_version: int | None = None
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "oauth_flows"
        indexes: ClassVar = [
            IndexModel("user_id", sparse=True, name="user"),  # the deletion of an account
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]


class OAuthCode(Document):
    """What a callback gives to the app instead of tokens, by the hash of the code.

    With a `session_id` it proves to that session who its user is, and gives no tokens of its own.
    """

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    provider: str
    user_id: UUID
    session_id: str | None = None
    token_version: int
    code_challenge: str | None
    options: dict[str, Any]
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "oauth_codes"
        indexes: ClassVar = [
            IndexModel("user_id", name="user"),  # an unlinked identity, the deletion of an account
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
