"""Settings of the resource service."""

from typing import ClassVar

from pydantic import Field

from grove.core.settings import ProcessSettings
from grove.service.postgres import PostgresServiceSettings


class FileSettings(ProcessSettings):
    """Attachments and photos"""

    files_url: str = Field(
        "file:///var/lib/grove/files",
        description="Where files are kept: a folder (`file:///…`) or `s3://bucket/prefix`",
    )
    files_s3_endpoint: str = Field("", description="Address of an S3-compatible store; empty: Amazon's")
    files_s3_region: str = Field("us-east-1", description="Region of the bucket")


class ResourceSettings(PostgresServiceSettings, FileSettings):
    """The resource service"""

    service: ClassVar[str] = "resource"
