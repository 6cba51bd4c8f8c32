"""Settings of the auth service."""

from typing import ClassVar

from pydantic import Field

from grove.mongo.client import MongoServiceSettings


class AuthSettings(MongoServiceSettings):
    """The auth service"""

    service: ClassVar[str] = "auth"
    required_secrets: ClassVar[tuple[str, ...]] = (
        "mongo_password",
        "valkey_password",
        "signing_key_ring",
        "mail_key_ring",
    )

    access_token_minutes: int = Field(15, ge=1, le=60, description="Lifetime of access tokens")
    session_hours: int = Field(24, ge=1, description="Absolute lifetime of a session")
    remembered_session_days: int = Field(30, ge=1, description="Absolute lifetime of a session with `remember_me`")
    idle_hours_browser: int = Field(168, ge=1, description="A browser's session ends after this long without a refresh")
    idle_hours_mobile: int = Field(720, ge=1, description="The same for mobile apps")
    idle_hours_api_client: int = Field(24, ge=1, description="The same for other clients")
    refresh_grace_seconds: int = Field(10, ge=0, description="A rotated refresh token gets the same answer this long")
    refresh_grace_uses: int = Field(10, ge=0, description="… and this often")
    verification_hours: int = Field(24, ge=1, description="Lifetime of a registration that is not verified")
    deleted_user_days: int = Field(365, ge=1, description="How long it stays known that a deleted account existed")
    password_reset_minutes: int = Field(15, ge=1, le=60, description="Lifetime of a mailed link that resets a password")
    password_history: int = Field(5, ge=1, le=24, description="A new password is none of the last so many")
    password_min_length: int = Field(12, ge=8, description="Least length of passwords, in characters")
    password_min_score: int = Field(3, ge=0, le=4, description="Least zxcvbn score of passwords")
    signing_key_lead_seconds: int = Field(
        330, ge=2, description="A new signing key is published this long before it signs"
    )
    argon2_memory_kib: int = Field(19456, ge=8192, description="Argon2id memory")
    argon2_iterations: int = Field(2, ge=1, description="Argon2id iterations")
    password_queue: int = Field(64, ge=1, description="Password checks that may wait; more get 503")
