"""Settings of the resource service."""

from typing import ClassVar

from grove.service.postgres import PostgresServiceSettings


class ResourceSettings(PostgresServiceSettings):
    """The resource service"""

    service: ClassVar[str] = "resource"
