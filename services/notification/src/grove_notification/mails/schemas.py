"""Mails as JSON: never their content, and of an address only so much as tells whose it is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from grove.core.schema import Incoming, Moment, Outgoing
from grove_notification.mails.catalogue import Kind

TEMPLATE_NAME = r"^[a-z_]{1,40}$"


class MailStatus(StrEnum):
    """What became of a mail."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"


Subject = Annotated[str, Field(description="In the mail's language", examples=["Confirm your address"])]


@dataclass(slots=True, kw_only=True)
class MailRead:
    """A mail to you."""

    id: UUID
    template: str
    subject: Subject
    status: MailStatus
    created_at: Moment
    sent_at: Moment | None


@dataclass(slots=True, kw_only=True)
class AdminMailRead:
    """A mail as operators see it."""

    id: UUID
    template: str
    subject: Subject
    status: MailStatus
    created_at: Moment
    sent_at: Moment | None
    kind: Kind
    user_id: UUID | None
    masked: Annotated[str | None, Field(description="The address, in part", examples=["a•••@example.com"])]
    locale: str
    attempts: int
    due_at: Moment
    last_error: str | None
    bounced_at: Moment | None


class BounceReport(Incoming):
    """Why a mail came back."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f]+$")]


class ResendMany(Incoming):
    """Which mails: those of which all of this is true."""

    status: Literal["failed", "bounced"]
    template: Annotated[str | None, Field(pattern=TEMPLATE_NAME, description="Only of this template")] = None
    kind: Annotated[Kind | None, Field(description="Only of this kind")] = None
    date_from: Annotated[Moment | None, Field(description="Queued then or later")] = None
    date_to: Annotated[Moment | None, Field(description="Queued before")] = None

    @model_validator(mode="after")
    def _some_time(self) -> "ResendMany":
        if self.date_from and self.date_to and self.date_from >= self.date_to:
            raise ValueError("date_from must be before date_to")
        return self


class Queued(Outgoing):
    """How many were queued."""

    queued: int


class TemplateRead(Outgoing):
    """A mail template."""

    name: str
    kind: Kind
    locales: list[str]
    samples: Annotated[list[str], Field(description="Names of its samples, `default` first")]


class Templates(Outgoing):
    """All of them."""

    items: list[TemplateRead]


class PreviewRead(Outgoing):
    """A template with sample values."""

    name: str
    locale: str
    sample: str
    subject: str
    html: str
    text: str
