"""Settings of the local stack."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class StackSettings(BaseSettings):
    """The local stack"""

    model_config = SettingsConfigDict(env_prefix="GROVE_", env_file=".env", extra="ignore")

    state_dir: Path = Field(Path(".grove"), description="Where data, certificates, logs and pids live")
    https_port: int = Field(8443, ge=0, le=65535, description="The edge; 0: a free port")
    http_port: int = Field(8080, ge=0, le=65535, description="Redirects to HTTPS; 0: a free port")
    domain: str = Field(
        "localhost",
        pattern=r"^([a-z0-9-]+\.)*localhost$",
        description="Name of the suite on this machine. Only under one with a dot, such as `grove.localhost`, do "
        "browsers send cookies from the portal's pages to `auth.` and `api.`",
    )
    limits: Literal["development", "production"] = Field(
        "development", description="`production` holds the real rate limits"
    )
    parts: Literal["all", "stores", "mail"] = Field(
        "all", description="`stores`: only the servers that the suite stands on; `mail`: only the mail catcher"
    )
    durable: bool = Field(True, description="PostgreSQL keeps its promises over power loss; tests switch it off")
    webhook_retry_scale: float = Field(
        1, gt=0, le=1, description="Shortens the pauses between tries of webhooks, for those who write a receiver"
    )
    otlp_endpoint: str = Field("", description="OTLP/HTTP collector that all processes send traces to")
