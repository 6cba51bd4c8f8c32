"""Settings: from the environment and `.env`, validated once at start. Secrets are files (core/secrets.py).

Each class is one concern; a service's settings inherit the concerns it has. `.env.example` and
`docs/configuration.md` are generated from these classes (`grove config docs`).
"""

import os
import sys
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from grove.core.secrets import SecretMissing, Secrets

ENV_FILE = os.environ.get("ENV_FILE", ".env") or None
"""Another file may be named in the environment; an empty name is none."""
PLACEHOLDERS = ("changeme", "change-me", "placeholder", "example-secret", "todo")


class Concern(BaseSettings):
    """What every class of settings is: of several bases the last one's configuration counts, so all have this one."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, env_file_encoding="utf-8", extra="ignore", frozen=True)


class ProcessSettings(Concern):
    """The process itself"""

    service: ClassVar[str] = "grove"
    """Name of the service: prefix of its events, common name of its certificates."""
    required_secrets: ClassVar[tuple[str, ...]] = ()
    """Secret files without which the process does not start."""

    environment: Literal["development", "test", "production"] = Field(
        "production", description="Profile: `production` is strict, `development` forgives"
    )
    instance: str = Field("", description="Name of this copy in logs and traces, e.g. `resource-api-2`")
    host: str = Field("127.0.0.1", description="Address of the mTLS listener")
    port: int = Field(8000, ge=0, le=65535, description="Port of the mTLS listener")
    ops_host: str = Field("127.0.0.1", description="Address of the health and metrics listener; keep it private")
    ops_port: int = Field(9000, ge=0, le=65535, description="Port of the health and metrics listener")
    secrets_dir: Path = Field(Path("/run/secrets"), description="Folder of the secret files")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged")
    slow_query_ms: int = Field(200, ge=1, description="Database statements slower than this are logged")
    shutdown_seconds: int = Field(20, ge=1, description="Time that work in hand gets at shutdown")

    @cached_property
    def secrets(self) -> Secrets:
        """Reader of this process's secret files."""
        return Secrets(self.secrets_dir)

    @model_validator(mode="after")
    def _secrets_are_there(self) -> Self:
        for name in self.required_secrets:
            try:
                value = self.secrets.read(name)
            except SecretMissing as missing:
                raise ValueError(str(missing)) from None
            if any(word in value.lower() for word in PLACEHOLDERS):
                raise ValueError(f"The secret file {name!r} still holds a placeholder. Put a real value there.")
        return self


class PublicSettings(Concern):
    """Where clients find the suite"""

    public_url: str = Field("https://localhost:8443", description="The portal's address")
    public_auth_url: str = Field("https://auth.localhost:8443", description="The auth host's address; `iss` of tokens")
    public_api_url: str = Field("https://api.localhost:8443", description="The api host's address")
    cors_origins: list[str] = Field([], description="Origins (JSON list) of web apps that may call the APIs")
    docs_public: bool = Field(False, description="Serve the OpenAPI documents to everyone")
    limits: Literal["production", "development"] = Field(
        "production", description="`development` multiplies every rate limit by 100"
    )
    feature_flags_file: Path | None = Field(None, description="Flag definitions (flagd JSON), read again on change")


class TlsSettings(Concern):
    """mTLS inside the suite"""

    tls_identity_file: Path = Field(
        Path("/run/identity/identity.pem"),
        description="Private key and certificate of this process, one PEM file",
    )
    tls_ca_file: Path = Field(Path("/run/identity/ca.pem"), description="Certificate of the internal CA")
    auth_internal_url: str = Field("https://auth-api:8000", description="The auth service inside the suite")


class BrokerSettings(Concern):
    """RabbitMQ"""

    broker_url: str = Field("amqps://rabbitmq:5671/grove", description="Address; sign-in is by certificate (EXTERNAL)")
    consumer_prefetch: int = Field(64, ge=1, le=300, description="Events in hand per worker")


class ValkeySettings(Concern):
    """Valkey (Redis protocol)"""

    valkey_host: str = Field("valkey", description="Host")
    valkey_port: int = Field(6379, description="Port")
    valkey_username: str = Field("", description="ACL user; empty: the service's name")


class PostgresSettings(Concern):
    """PostgreSQL"""

    database_host: str = Field("postgres", description="Host")
    database_port: int = Field(5432, description="Port")
    database_name: str = Field("", description="Database; empty: the service's name")
    database_user: str = Field("", description="Role; empty: the service's name")
    database_pool_size: int = Field(10, ge=1, description="Connections per process for changes, and as many for reads")
    database_statement_timeout_ms: int = Field(5000, ge=100, description="A statement is cancelled after this")


class TelemetrySettings(Concern):
    """Traces and error reports"""

    otlp_endpoint: str = Field(
        "", description="OTLP/HTTP collector for traces, e.g. `http://collector:4318`; empty: off"
    )
    trace_sample_ratio: float = Field(1.0, ge=0, le=1, description="Part of new traces that is recorded")
    sentry_dsn: str = Field("", description="Sentry-compatible error reporting; empty: off")


class AppSettings(ProcessSettings, PublicSettings, TlsSettings, TelemetrySettings):
    """What every process of the suite has"""


class ServiceSettings(AppSettings, BrokerSettings, ValkeySettings):
    """What every service has"""


S = TypeVar("S", bound=ProcessSettings)


def load(settings: type[S]) -> S:
    """The settings of this process; on a missing or unsafe value the process ends with a clear message."""
    try:
        return settings()
    except ValidationError as invalid:
        lines = [f"{settings.service}: the settings are not usable:"]
        for error in invalid.errors():
            name = "_".join(str(part) for part in error["loc"]).upper()
            lines.append(f"  {name + ': ' if name else ''}{error['msg'].removeprefix('Value error, ')}")
        lines.append("See docs/configuration.md for every setting.")
        sys.exit("\n".join(lines))
