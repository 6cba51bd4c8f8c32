"""The signing_keys collection."""

from datetime import UTC, datetime

from beanie import Document


class SigningKey(Document):
    """A key pair for access tokens. The private part is sealed with the signing key ring.

    It is published from the beginning, signs from `signs_from` until a newer one does, and goes at `retires_at`, when
    the last token it signed is dead.
    """

    id: str  # type: ignore[assignment] # Beanie declares its own kind of id
    public: dict[str, str]
    sealed_private: str
    created_at: datetime
    signs_from: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    retires_at: datetime | None = None
    """None: no newer key was made yet."""

    class Settings:
        """Collection. It holds a handful of documents, so it is read whole."""

        name = "signing_keys"
