"""Settings of Schwab."""

from typing import ClassVar

from pydantic import Field

from grove_provider_sync.providers.adapters import AdapterSettings


class SchwabSettings(AdapterSettings):
    """The provider Schwab"""

    required_secrets: ClassVar[tuple[str, ...]] = ("schwab_client_secret",)

    schwab_url: str = Field(
        "", description="Schwab, such as `https://api.schwabapi.com`; empty: not offered. Needs `schwab_client_secret`"
    )
    schwab_client_id: str = Field("", description="The app key that Schwab gave you; empty: not offered")
    schwab_page_url: str = Field("", description="Where users sign in; empty: at `SCHWAB_URL`")
    schwab_history_days: int = Field(365, ge=1, le=3650, description="Days of history that are asked for")
    schwab_calls_per_minute: int = Field(120, ge=0, description="Calls it takes in a minute, of all; 0: any number")

    @property
    def offered(self) -> bool:
        """With an address and an app key."""
        return bool(self.schwab_url and self.schwab_client_id)
