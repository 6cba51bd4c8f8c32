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
    """A mail will not arrive: it was refused, given up, or not sent while it was of use; the reason says which."""

    type: ClassVar = "notification.email.failed.v1"
    reason: str
    failed_at: Time


class WebhookDisabled(EventData):
    """A webhook was disabled because its endpoint did not take deliveries: its owner was told by mail."""

    type: ClassVar = "notification.webhook.disabled.v1"
    webhook_id: UUID
    user_id: UUID
    host: str
    """Of its URL; the rest of that can be a secret."""
    reason: str
    failing_since: Time
    disabled_at: Time

    def subject(self) -> str:
        return str(self.webhook_id)


class UserErased(Erased):
    """This service erased a deleted user."""

    type: ClassVar = "notification.user.erased.v1"
