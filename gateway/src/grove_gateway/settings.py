"""Settings of the gateway."""

from typing import ClassVar

from pydantic import Field

from grove.core.settings import AppSettings


class GatewaySettings(AppSettings):
    """The gateway"""

    service: ClassVar[str] = "gateway"

    services: dict[str, str] = Field(
        {
            "auth": "https://auth-api:8000",
            "resource": "https://resource-api:8000",
            "notification": "https://notification-api:8000",
            "provider-sync": "https://provider-sync-api:8000",
        },
        description="The services inside the suite (JSON object: name → address)",
    )
