"""Settings of the notification service."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from grove.core.emails import mailbox
from grove.core.settings import ProcessSettings
from grove.service.postgres import PostgresServiceSettings


class WebhookSettings(ProcessSettings):
    """Webhooks"""

    webhook_ports: list[int] = Field([443], description="Ports (JSON list) that webhooks may call")
    webhook_allowed_targets: list[str] = Field(
        [],
        description="Hosts inside (JSON list of exact `host:port`) that webhooks may call as well, by HTTP too; "
        "every other address that is not public is refused",
    )
    webhook_denied_networks: list[IPv4Network | IPv6Network] = Field(
        [],
        description="Public networks of your own (JSON list, CIDR) that webhooks may not call, such as the prefix of "
        "your NAT64; a host of the list above may be called all the same",
    )
    webhook_seconds: float = Field(15, gt=0, le=60, description="Time that one try of a delivery gets in all")
    webhook_concurrency: int = Field(4, ge=1, le=100, description="Tries under way at one endpoint at most")
    webhook_in_flight: int = Field(200, ge=2, description="Tries under way in one worker at most")
    webhook_retry_seconds: list[int] = Field(
        [5, 300, 1800, 7200, 18000, 36000, 36000],
        description="Pauses between tries of a delivery; after the last it is failed",
    )
    webhook_retry_scale: float = Field(
        1, gt=0, le=1, description="Multiplies these pauses and the days until disabling; less than 1 is for tests"
    )
    webhook_disable_days: float = Field(
        5,
        gt=0,
        description="Days of nothing but failures after which a delivery that fails for good disables its webhook",
    )
    webhook_pending_max: int = Field(
        10_000, ge=2, description="Deliveries that may wait for one webhook; beyond that it is disabled"
    )
    webhook_delivery_days: int = Field(30, ge=1, description="Days that ended deliveries and their answers are kept")

    @field_validator("webhook_allowed_targets")
    @classmethod
    def _places(cls, targets: list[str]) -> list[str]:
        for target in targets:
            if not re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+):\d{1,5}", target, re.IGNORECASE):
                raise ValueError(f"{target!r} is no `host:port`.")
        return targets


class MailSettings(ProcessSettings):
    """Mails"""

    link_base_url: str = Field("https://localhost:8443", description="Where links in mails lead: the portal")
    link_app_url: str = Field(
        "",
        description="Your web app: notifications link to `<app>/tasks/<id>` and the like; empty: to the portal",
    )
    smtp_host: str = Field("localhost", description="Mail server")
    smtp_port: int = Field(587, description="Its port")
    smtp_tls: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="How the connection is protected; without that, nothing is sent"
    )
    smtp_ca_file: Path | None = Field(None, description="Who vouches for the mail server; empty: the system's CAs")
    smtp_user: str = Field("", description="User; empty: no sign-in, else the secret file `smtp_password` is read")
    smtp_data_seconds: float = Field(
        600,
        gt=0,
        description="Time that the mail server gets to take a mail's content; giving up earlier would double the mail",
    )
    mail_senders: int = Field(
        4, ge=1, le=50, description="Mails that a worker sends at once; one of several senders never takes notices"
    )
    mail_from: str = Field(
        "Grove <no-reply@grove.example>",
        description="Sender of mails: an address, or a name and `<address>`; the name in double quotes if it has more "
        "than letters, digits and spaces",
    )
    mail_return_path: str = Field(
        "", description="Address that the mail server tells of mails that can't be delivered; empty: MAIL_FROM's"
    )
    mail_retry_seconds: list[int] = Field(
        [10, 60, 300, 1800, 7200, 21600],
        description="Pauses between tries of a mail; after the last it is failed",
    )
    mail_recipient_per_hour: int = Field(
        30, ge=0, description="Notices to one recipient; others wait. Security mails are not counted. 0: no limit"
    )
    mail_notices_per_second: int = Field(
        20, ge=0, description="Notices to all recipients together; others wait. 0: no limit"
    )
    mail_days: int = Field(90, ge=1, description="Days that a mail's row is kept, and the content of a failed one")

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, text: str) -> str:
        mailbox(text)
        return text

    @field_validator("mail_return_path")
    @classmethod
    def _return_path(cls, text: str) -> str:
        if not text:
            return ""
        returned = mailbox(text)
        if returned.display_name:
            raise ValueError(f"write the address alone: `{returned.addr_spec}`.")
        return returned.addr_spec


class NotificationSettings(PostgresServiceSettings, MailSettings, WebhookSettings):
    """The notification service"""

    service: ClassVar[str] = "notification"
    required_secrets: ClassVar[tuple[str, ...]] = (
        "database_password",
        "valkey_password",
        "mail_key_ring",
        "webhook_key_ring",
    )

    read_notifications_days: int = Field(
        90, ge=0, description="Days that a notification is kept after it was read; 0 keeps them for ever"
    )
    live_queue: int = Field(256, ge=8, description="Frames that may wait in memory for a live connection")
    live_ping_seconds: float = Field(25, gt=0, description="Pause between pings of a live connection")
    live_frames_hours: int = Field(
        24, ge=1, description="Hours that live frames are kept: who comes back later loads their lists anew"
    )
    live_connections: int = Field(
        5000, ge=1, description="Live connections that an api process has open at most; about 100 KiB each"
    )
    live_connections_per_user: int = Field(
        20, ge=1, description="Live connections that a user may have open to one api process"
    )
