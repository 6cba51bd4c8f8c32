"""Settings of the provider-sync service; those of each provider are in its folder under `adapters`."""

from typing import ClassVar, Literal

from pydantic import Field

from grove.service.postgres import PostgresServiceSettings


class ProviderSyncSettings(PostgresServiceSettings):
    """The provider-sync service"""

    service: ClassVar[str] = "provider-sync"
    required_secrets: ClassVar[tuple[str, ...]] = ("database_password", "valkey_password", "token_key_ring")

    provider_total_seconds: float = Field(30, gt=0, le=120, description="Longest a call to a provider takes")
    provider_connect_seconds: float = Field(10, gt=0, description="… to connect")
    provider_read_seconds: float = Field(30, gt=0, description="… between two parts of an answer")
    provider_pool_seconds: float = Field(5, gt=0, description="… to wait for a connection of the pool")
    provider_wait_seconds: float = Field(
        5, ge=0, le=20, description="Longest a run waits for a provider's budget before it makes room for others"
    )
    callback_seconds: float = Field(10, gt=0, description="Longest a provider may take while a user waits")
    sync_interval_minutes: float = Field(240, gt=0, description="Pause between scheduled runs of a connection")
    sync_lease_seconds: int = Field(30, ge=5, description="A run whose worker went silent this long is taken over")
    sync_concurrency: int = Field(4, ge=1, description="Runs at once in one worker")
    sync_retry_seconds: float = Field(
        60, gt=0, description="Pause after a failed run, doubled with each, up to 6 hours, and random within that"
    )
    refresh_ahead_seconds: float = Field(120, ge=0, description="Access tokens are refreshed this long before they end")
    connect_minutes: int = Field(15, ge=1, description="Time to finish connecting at the provider")
    revoke_within_hours: float = Field(
        23, gt=0, le=24, description="Tokens that a provider could not be told to forget are destroyed after this"
    )
    sync_run_days: int = Field(
        90, ge=1, description="Days that ended runs are listed; the last of a connection is kept longer"
    )
    removed_connections: Literal["erase", "keep"] = Field(
        "erase", description="What becomes of accounts and transactions of a connection that its user deletes"
    )
