"""Settings of the resource service."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from grove.core.secrets import SecretMissing
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
    files_sweep_seconds: int = Field(900, ge=1, description="How often files that no row names are looked for")
    files_grace_seconds: int = Field(
        3600, ge=300, description="Age of a file before the sweep may remove it: an upload may not be committed yet"
    )
    attachment_max_bytes: int = Field(10 * 1024 * 1024, ge=1, description="Largest attachment; the edge takes 12 MiB")
    clamd_socket: str = Field(
        "", description="Unix socket of ClamAV's clamd, which scans attachments; empty: not scanned"
    )
    clamd_seconds: int = Field(30, ge=1, description="Time that a scan gets")

    @model_validator(mode="after")
    def _files_can_be_kept(self) -> Self:
        if self.files_url.startswith("s3://"):
            for name in ("files_s3_access_key", "files_s3_secret_key"):
                try:
                    self.secrets.read(name)
                except SecretMissing as missing:
                    raise ValueError(str(missing)) from None
        elif not self.files_url.startswith("file:///"):
            raise ValueError("FILES_URL must be a folder (`file:///…`) or a bucket (`s3://bucket/prefix`).")
        return self


class DueWorkSettings(ProcessSettings):
    """Reminders and deleted tasks"""

    reminder_look_seconds: float = Field(
        1.0, ge=0.05, le=60, description="How often a worker looks for new reminders; one fires so late at most"
    )
    task_purge_days: int = Field(
        30, ge=0, le=36500, description="Deleted tasks are removed for good after so many days; 0: never"
    )


class GraphQLSettings(ProcessSettings):
    """GraphQL"""

    graphql_introspection: bool = Field(False, description="Answer questions about the schema, and suggest names")
    graphql_seconds: float = Field(10, gt=0, le=60, description="How long one operation may take")


class ResourceSettings(PostgresServiceSettings, FileSettings, DueWorkSettings, GraphQLSettings):
    """The resource service"""

    service: ClassVar[str] = "resource"
