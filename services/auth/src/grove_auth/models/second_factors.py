"""The second_factors collection: what an account proves a second factor by, and wrong codes in a row."""

from datetime import UTC, datetime
from uuid import UUID

from beanie import Document

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class SecondFactors(Document):
    """By the id of the user, whose own document names the methods that are on.

    Secrets and the phone number are sealed with the MFA key ring. `failures`: second factors that were tried since
    the last right one, counted before they were checked.
    """

    id: UUID  # type: ignore[assignment] # Beanie declares its own kind of id
    totp_secret: str | None = None
    totp_step: int = 0
    """The time step of the last code that was taken: it and those before it work no more."""
    pending_secret: str | None = None
    pending_until: datetime = NEVER
    phone: str | None = None
    backup_salt: bytes = b""
    backup_hashes: list[bytes] = []
    failures: int = 0
    locked_until: datetime = NEVER

    class Settings:
        """Collection."""

        name = "second_factors"
