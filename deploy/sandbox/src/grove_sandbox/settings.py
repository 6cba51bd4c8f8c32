"""Settings of the sandbox."""

import base64
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

CONTAINER_SECRETS = Path("/run/secrets")
"""Where containers have them, in files of the settings' names."""


class SandboxSettings(BaseSettings):
    """The sandbox"""

    model_config = SettingsConfigDict(
        env_prefix="SANDBOX_", secrets_dir=CONTAINER_SECRETS if CONTAINER_SECRETS.is_dir() else None
    )

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(9900, description="Port to listen on")
    client_id: str = Field("grove", description="OAuth client")
    client_secret: SecretStr = Field(SecretStr("sandbox"), description="Its secret")
    sms_token: SecretStr = Field(SecretStr("sandbox"), description="Bearer secret of who may send SMS")
    sign_in_client_id: str = Field("grove-auth", description="OpenID Connect client")
    sign_in_client_secret: SecretStr = Field(SecretStr("sandbox"), description="Its secret")
    access_token_seconds: int = Field(1800, description="Lifetime of access tokens")
    page_size: int = Field(50, description="Transactions on a page")
    plaid_client_id: str = Field("grove", description="Plaid client")
    plaid_secret: SecretStr = Field(SecretStr("sandbox"), description="Its secret")
    schwab_client_id: str = Field("grove", description="Schwab client")
    schwab_client_secret: SecretStr = Field(SecretStr("sandbox"), description="Its secret")
    webhook_secret: SecretStr = Field(
        SecretStr("whsec_" + base64.b64encode(b"what the sandbox signs with").decode()),
        description="The bank signs its webhooks with it (Standard Webhooks)",
    )
    webhook_url: str = Field("", description="Where the bank sends webhooks; empty: nowhere")
    webhook_ca_file: Path | None = Field(None, description="CA of that address, where it is no public one")
