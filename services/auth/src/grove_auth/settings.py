"""Settings of the auth service."""

from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from grove.core.secrets import SecretMissing
from grove.mongo.client import MongoServiceSettings
from grove_auth.social.providers.configuration import ProviderSettings


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
    argon2_memory_kib: int = Field(19456, ge=8192, description="Argon2id memory")
    argon2_iterations: int = Field(2, ge=1, description="Argon2id iterations")
    password_queue: int = Field(64, ge=1, description="Password checks that may wait; more get 503")

    oauth_providers: list[ProviderSettings] = Field(
        [],
        description="Issuers (JSON list) to sign in through: `key`, `kind` (oidc, google, github, apple), `client_id`; "
        "for oidc `issuer`, for apple `team_id` and `key_id`. Each has a secret file `oauth_<key>_client_secret`, or "
        "`oauth_<key>_private_key` for apple",
    )
    oauth_redirect_uris: list[str] = Field(
        [], description="Addresses (JSON list) of apps that a browser may be sent back to, compared exactly"
    )
    oauth_seconds: float = Field(10, gt=0, le=60, description="Longest an issuer may take while a user waits")

    @model_validator(mode="after")
    def _oauth_is_usable(self) -> Self:
        keys = [provider.key for provider in self.oauth_providers]
        if len(keys) != len(set(keys)):
            raise ValueError("OAUTH_PROVIDERS: two providers have the same key.")
        for provider in self.oauth_providers:
            try:
                self.secrets.read(provider.secret_name)
            except SecretMissing as missing:
                raise ValueError(str(missing)) from None
        for uri in self.oauth_redirect_uris:
            parts = urlsplit(uri)
            if not parts.scheme or "#" in uri:
                raise ValueError(f"OAUTH_REDIRECT_URIS: {uri!r} must be an absolute address without a fragment.")
        return self
