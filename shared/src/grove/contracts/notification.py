"""Events of the notification service."""

from typing import ClassVar
from uuid import UUID

from grove.contracts.event import Erased, EventData, Time


class _Mail(EventData):
    mail_id: UUID
    template: str
    attempts: int

    def subject(self) -> str:
        return str(self.mail_id)


class EmailSent(_Mail):
    """The mail server took a mail."""

    type: ClassVar = "notification.email.sent.v1"
    sent_at: Time


class EmailFailed(_Mail):
    """A mail was given up: it waits for an operator."""

    type: ClassVar = "notification.email.failed.v1"
    reason: str
    failed_at: Time


class UserErased(Erased):
    """This service erased a deleted user."""

    type: ClassVar = "notification.user.erased.v1"
