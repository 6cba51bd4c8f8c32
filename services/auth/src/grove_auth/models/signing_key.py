"""The signing_keys collection."""

from datetime import datetime

from beanie import Document


class SigningKey(Document):
    """A key pair for access tokens. The private part is sealed with the signing key ring."""

    id: str  # type: ignore[assignment] # Beanie declares its own kind of id
    public: dict[str, str]
    sealed_private: str
    created_at: datetime

    class Settings:
        """Collection."""

        name = "signing_keys"
