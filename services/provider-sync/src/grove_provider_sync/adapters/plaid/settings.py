"""Settings of Plaid."""

from typing import ClassVar

from pydantic import Field

from grove_provider_sync.providers.adapters import AdapterSettings


class PlaidSettings(AdapterSettings):
    """The provider Plaid"""

    required_secrets: ClassVar[tuple[str, ...]] = ("plaid_secret",)

    plaid_url: str = Field(
        "", description="Plaid, such as `https://production.plaid.com`; empty: not offered. Needs `plaid_secret`"
    )
    plaid_client_id: str = Field("", description="The client id that Plaid gave you; empty: not offered")
    plaid_client_name: str = Field("Grove", min_length=1, max_length=30, description="Who asks, on Plaid's page")
    plaid_country_codes: list[str] = Field(["US"], min_length=1, description="Countries whose banks are offered")
    plaid_language: str = Field("en", description="Language of Plaid's page")
    plaid_history_days: int = Field(730, ge=1, le=730, description="Days of history that are asked for")
    plaid_webhook_url: str = Field(
        "", description="Where Plaid tells of news: `<PUBLIC_API_URL>/api/v1/providers/plaid/webhooks`; empty: nowhere"
    )
    plaid_page_size: int = Field(500, ge=1, le=500, description="Transactions asked for at once")
    plaid_calls_per_minute: int = Field(
        2500,
        ge=0,
        description="Calls it takes in a minute, of all; 2500 is what Plaid publishes; 0: any number",
    )
    plaid_item_calls_per_minute: int = Field(
        50, ge=0, description="… of one connection; 50 is what Plaid publishes for `/transactions/sync`"
    )

    @property
    def offered(self) -> bool:
        """With an address and a client id."""
        return bool(self.plaid_url and self.plaid_client_id)
