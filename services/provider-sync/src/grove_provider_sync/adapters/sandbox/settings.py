"""Settings of the sandbox bank."""

from typing import ClassVar

from pydantic import Field

from grove_provider_sync.providers.adapters import AdapterSettings


class SandboxSettings(AdapterSettings):
    """The sandbox provider"""

    required_secrets: ClassVar[tuple[str, ...]] = ("sandbox_client_secret", "sandbox_webhook_secret")

    sandbox_url: str = Field(
        "",
        description="The sandbox provider; empty: not offered. Needs both `sandbox_…` secrets",
    )
    sandbox_page_url: str = Field("", description="Where users consent; empty: at `SANDBOX_URL`")
    sandbox_calls_per_second: int = Field(0, ge=0, description="Calls it takes in any second, of all; 0: any number")
    sandbox_connection_calls_per_second: int = Field(0, ge=0, description="… of one connection")

    @property
    def offered(self) -> bool:
        """With an address."""
        return bool(self.sandbox_url)
