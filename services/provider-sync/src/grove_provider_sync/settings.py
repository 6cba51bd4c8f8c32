"""Settings of the provider-sync service."""

from typing import ClassVar

from pydantic import Field

from grove.service.postgres import PostgresServiceSettings


class ProviderSyncSettings(PostgresServiceSettings):
    """The provider-sync service"""

    service: ClassVar[str] = "provider-sync"
    required_secrets: ClassVar[tuple[str, ...]] = ("database_password", "valkey_password", "token_key_ring")

    sandbox_url: str = Field("", description="The sandbox provider; empty: not offered. Needs `sandbox_client_secret`")
    provider_total_seconds: float = Field(30, gt=0, description="Longest a call to a provider takes")
    provider_connect_seconds: float = Field(10, gt=0, description="… to connect")
    provider_read_seconds: float = Field(30, gt=0, description="… between two parts of an answer")
    provider_pool_seconds: float = Field(5, gt=0, description="… to wait for a connection of the pool")
    callback_seconds: float = Field(10, gt=0, description="Longest a provider may take while a user waits")
    sync_interval_minutes: int = Field(240, ge=1, description="Pause between scheduled runs of a connection")
    sync_lease_seconds: int = Field(60, ge=5, description="A run whose worker went silent this long is taken over")
    sync_concurrency: int = Field(4, ge=1, description="Runs at once in one worker")
    refresh_ahead_seconds: int = Field(120, ge=0, description="Access tokens are refreshed this long before they end")
    connect_minutes: int = Field(15, ge=1, description="Time to finish connecting at the provider")
