"""Dependencies as types: an endpoint's signature says what it needs and who may call it."""

from typing import Annotated

from fastapi import Depends, Request

from grove.security.principal import Principal
from grove.service.sessions import ReadsDep, WriteSession
from grove.web.auth import require
from grove_notification.resources import Resources

NotificationReader = Annotated[Principal, require("notifications:read")]
NotificationWriter = Annotated[Principal, require("notifications:write")]


async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(_resources)]

__all__ = ["NotificationReader", "NotificationWriter", "ReadsDep", "ResourcesDep", "WriteSession"]
