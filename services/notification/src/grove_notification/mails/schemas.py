"""Mails as JSON: never their content, and of an address only so much as tells whose it is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from grove.core.schema import Incoming, Moment, Outgoing
from grove_notification.mails.catalogue import Kind


class MailStatus(StrEnum):
    """What became of a mail."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"


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
    """Which mails."""

    status: Literal["failed", "bounced"]


class Queued(Outgoing):
    """How many were queued."""

    queued: int


class TemplateRead(Outgoing):
    """A mail template."""

    name: str
    kind: Kind
    locales: list[str]


class Templates(Outgoing):
    """All of them."""

    items: list[TemplateRead]


class PreviewRead(Outgoing):
    """A template with sample values."""

    name: str
    locale: str
    subject: str
    html: str
    text: str
