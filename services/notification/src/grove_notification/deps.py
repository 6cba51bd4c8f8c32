"""Dependencies as types: an endpoint's signature says what it needs and who may call it."""

from typing import Annotated

from fastapi import Depends, Request

from grove.security.principal import Principal
from grove.service.sessions import ReadsDep, WriteSession
from grove.web.auth import require
from grove.web.rate_limit import Limit
from grove_notification.resources import Resources

WEBHOOK_TEST_LIMIT = Limit("webhook_test", 10, 3600)

NotificationReader = Annotated[Principal, require("notifications:read")]
NotificationWriter = Annotated[Principal, require("notifications:write")]
WebhookReader = Annotated[Principal, require("webhooks:read")]
WebhookWriter = Annotated[Principal, require("webhooks:write")]
WebhookTester = Annotated[Principal, require("webhooks:write", limit=WEBHOOK_TEST_LIMIT)]
MailReader = Annotated[Principal, require("mail:read")]
MailResender = Annotated[Principal, require("mail:resend")]


async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(_resources)]

__all__ = [
    "MailReader",
    "MailResender",
    "NotificationReader",
    "NotificationWriter",
    "ReadsDep",
    "ResourcesDep",
    "WebhookReader",
    "WebhookTester",
    "WebhookWriter",
    "WriteSession",
]
