"""Settings of the resource service."""

from typing import ClassVar

from grove.postgres.resources import PostgresServiceSettings


class ResourceSettings(PostgresServiceSettings):
    """The resource service"""

    service: ClassVar[str] = "resource"
