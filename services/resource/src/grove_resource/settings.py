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


class DueWorkSettings(ProcessSettings):
    """Reminders and deleted tasks"""

    reminder_look_seconds: float = Field(
        1.0, ge=0.05, le=60, description="How often a worker looks for new reminders; one fires so late at most"
    )
    task_purge_days: int = Field(
        30, ge=0, le=36500, description="Deleted tasks are removed for good after so many days; 0: never"
    )


class ResourceSettings(PostgresServiceSettings, FileSettings, DueWorkSettings):
    """The resource service"""

    service: ClassVar[str] = "resource"
