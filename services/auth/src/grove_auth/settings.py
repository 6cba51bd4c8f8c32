"""Settings of the auth service."""

from pathlib import Path
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, FilePath, model_validator

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
        "audit_key_ring",
        "mfa_key_ring",
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
    deletion_grace_days: int = Field(0, ge=0, le=90, description="A closed account can be had back this long")
    email_change_hours: int = Field(24, ge=1, description="Lifetime of a mailed link that confirms another address")
    email_undo_days: int = Field(7, ge=1, le=30, description="How long the old address can take a change of it back")
    not_me_days: int = Field(7, ge=1, le=30, description="Lifetime of the link in alerts that says it was not you")
    known_place_days: int = Field(180, ge=1, description="A device or place not used this long is new again")
    geoip_database: Path | None = Field(
        None,
        description="Database of places in MaxMind's format (.mmdb); replace it by renaming. Without: networks only",
    )
    password_reset_minutes: int = Field(15, ge=1, le=60, description="Lifetime of a mailed link that resets a password")
    password_history: int = Field(5, ge=1, le=24, description="A new password is none of the last so many")
    password_min_length: int = Field(12, ge=8, description="Least length of passwords, in characters")
    password_min_score: int = Field(3, ge=0, le=4, description="Least zxcvbn score of passwords")
    password_require_classes: int = Field(
        0, ge=0, le=4, description="Kinds of characters (lower, upper, digits, others) a password must have; 0: no rule"
    )
    password_max_age_days: int = Field(0, ge=0, description="A password must be changed after this long; 0: never")
    password_blocklist_file: FilePath | None = Field(
        None, description="Passwords that nobody may choose, one a line, at most 8 MiB; read again on change"
    )
    password_context_words: list[str] = Field(
        ["grove"], description="Words (JSON list) that say little in a password here, such as the service's name"
    )
    refuse_disposable_email: bool = Field(False, description="No accounts for addresses at throw-away mail providers")
    signing_key_lead_seconds: int = Field(
        330, ge=2, description="A new signing key is published this long before it signs"
    )
    argon2_memory_kib: int = Field(19456, ge=8192, description="Argon2id memory")
    argon2_iterations: int = Field(2, ge=1, description="Argon2id iterations")
    argon2_parallelism: int = Field(1, ge=1, le=16, description="Argon2id lanes")
    invitation_hours: int = Field(72, ge=1, description="Lifetime of the link mailed to an account somebody else made")
    foreign_argon2_memory_kib: int = Field(131072, ge=8, description="Most memory of an Argon2 hash that is imported")
    foreign_argon2_iterations: int = Field(10, ge=1, description="… most iterations")
    foreign_argon2_lanes: int = Field(8, ge=1, description="… most lanes (parallelism)")
    foreign_bcrypt_cost: int = Field(14, ge=4, le=31, description="Highest cost of a bcrypt hash that is imported")
    password_queue: int = Field(64, ge=1, description="Sign-ins and password checks that may wait; more get 503")
    passkey_rp_id: str = Field(
        "", description="Domain that passkeys belong to, `example.com`; empty: PUBLIC_URL's. Another one ends them all"
    )
    passkey_rp_name: str = Field("Grove", min_length=1, description="What passkey dialogs call this service")
    passkey_user_verification: Literal["preferred", "required"] = Field(
        "preferred", description="Whether a passkey must prove its user by PIN or biometrics, or may do without"
    )
    network_wrong_passwords: int = Field(
        200, ge=0, description="Wrong passwords from one network in an hour; then 429 until it is over. 0: any number"
    )
    captcha_after_failures: int = Field(
        3, ge=0, description="Wrong passwords of an address or network until a CAPTCHA is asked for; 0: never"
    )
    captcha_failure_rate: int = Field(
        50, ge=0, description="Wrong passwords in 60 s in the whole suite until everyone is asked for one; 0: never"
    )
    captcha_minutes: int = Field(5, ge=1, le=60, description="Time to solve a CAPTCHA")
    captcha_difficulty: int = Field(
        5000,
        ge=2,
        le=1_000_000,
        description="Most keys to derive to solve a CAPTCHA, half a millisecond each or so",
    )
    mfa_required_roles: list[str] = Field([], description="Roles (JSON list) that need a second factor to do anything")
    mfa_recovery_hours: int = Field(72, ge=1, description="Wait before a lost second factor is turned off")
    mfa_issuer: str = Field("Grove", description="Name of the account in authenticator apps, and in code messages")
    trusted_device_days: int = Field(30, ge=1, description="How long a trusted browser may skip the second factor")
    sms_url: str = Field(
        "", description="Takes `{to, text}` by POST, with the secret file `sms_token` as bearer; empty: no SMS codes"
    )
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

    @model_validator(mode="after")
    def _sms_has_its_secret(self) -> Self:
        if self.sms_url:
            try:
                self.secrets.read("sms_token")
            except SecretMissing as missing:
                raise ValueError(f"SMS_URL needs it: {missing}") from None
        return self
