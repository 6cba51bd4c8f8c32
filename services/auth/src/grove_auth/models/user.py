"""The users collection."""

from datetime import UTC, datetime
from typing import ClassVar, Literal
from uuid import UUID

from beanie import Document
from pydantic import Field
from pymongo import IndexModel

from grove.core.ids import new_id

UNTIL_UNBLOCKED = datetime(9999, 1, 1, tzinfo=UTC)
Method = Literal["totp", "sms", "email"]


class User(Document):
    """One account. `sequence` counts its events; a token below `token_version` is dead."""

    id: UUID = Field(default_factory=new_id)  # type: ignore[assignment] # Beanie declares its own kind of id
    email: str
    email_verified: bool = True
    name: str
    password_hash: str | None = None
    """None: signs in by other means, and can set a password by a mailed link."""
    password_history: list[str] = []
    """Hashes of the passwords before, newest first."""
    password_changed_at: datetime | None = None
    """None: not since the account was made."""
    roles: list[str] = ["user"]
    locale: str
    timezone: str
    marketing: bool = False
    password_reset_required: bool = False
    """Its owner said that somebody else was here: no sign-in until the password is reset by mail."""
    blocked_until: datetime | None = None
    """None: not blocked. A block without an end has `UNTIL_UNBLOCKED`."""
    block_reason: str | None = None
    closing_at: datetime | None = None
    """When a closed account will be deleted; None: it is not closed."""
    closing_token: bytes | None = None
    """The hash of the mailed token that has it back."""
    closing_mailed_at: datetime | None = None
    second_factors: list[Method] = []
    """The methods that are on; their secrets are in second_factors."""
    mfa_version: int = 0
    """Raised by every change of the second factors."""
    token_version: int = 1
    sequence: int = 1
    created_at: datetime
    updated_at: datetime

    @property
    def passwords(self) -> list[str]:
        """Hashes of the present password and those before, newest first."""
        return [self.password_hash, *self.password_history] if self.password_hash else self.password_history

    @property
    def standing(self) -> str:
        """Another one after each change of password, token version or second factors. What was begun before, ends."""
        return f"{self.token_version}.{self.mfa_version}"

    class Settings:
        """Collection and indexes."""

        name = "users"
        indexes: ClassVar = [
            IndexModel("email", unique=True, name="email"),  # login, and one account per address
            IndexModel("blocked_until", sparse=True, name="blocked"),  # blocks whose time is over
            IndexModel("closing_at", sparse=True, name="closing"),  # closed accounts whose time is over
            IndexModel("closing_token", sparse=True, name="closing_token"),  # POST /me/restore
            IndexModel([("created_at", -1), ("_id", -1)], name="created"),  # GET /admin/users
            IndexModel([("roles", 1), ("created_at", -1), ("_id", -1)], name="roles"),  # … with a role; is one in use?
        ]
