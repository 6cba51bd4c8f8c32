"""Settings of the notification service."""

from typing import ClassVar, Literal

from pydantic import Field

from grove.service.postgres import PostgresServiceSettings


class NotificationSettings(PostgresServiceSettings):
    """The notification service"""

    service: ClassVar[str] = "notification"
    required_secrets: ClassVar[tuple[str, ...]] = ("database_password", "valkey_password", "mail_key_ring")

    link_base_url: str = Field("https://localhost:8443", description="Where links in mails lead: the portal")
    smtp_host: str = Field("localhost", description="Mail server")
    smtp_port: int = Field(587, description="Its port")
    smtp_tls: Literal["none", "starttls", "tls"] = Field("starttls", description="How the connection is protected")
    smtp_user: str = Field("", description="User; empty: no sign-in, else the secret file `smtp_password` is read")
    mail_from: str = Field("Grove <no-reply@grove.example>", description="Sender of mails")
    mail_retry_seconds: list[int] = Field(
        [10, 60, 300, 1800, 7200, 21600],
        description="Pauses between tries of a mail; after the last it is failed",
    )
    read_notifications_days: int = Field(
        90, ge=0, description="Days that a notification is kept after it was read; 0 keeps them for ever"
    )
    live_queue: int = Field(256, ge=8, description="Frames that may wait for a slow live connection")
    live_ping_seconds: float = Field(25, gt=0, description="Pause between pings of a live connection")
