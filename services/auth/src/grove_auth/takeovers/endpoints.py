"""The route of the link in alert mails."""

from typing import Annotated

from fastapi import APIRouter, Depends

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.deps import ResourcesDep
from grove_auth.email_changes.schemas import MailedToken
from grove_auth.takeovers.service import TakeoverService

router = APIRouter(
    prefix="/api/v1/auth", tags=["security"], route_class=GroveRoute, responses=error_responses(409, 410)
)


async def _service(resources: ResourcesDep) -> TakeoverService:
    return TakeoverService(resources)


Takeovers = Annotated[TakeoverService, Depends(_service)]


@router.post("/security/not-me", status_code=204)
async def not_me(data: MailedToken, takeovers: Takeovers) -> None:
    """Say that it was not you, with the token of an alert mail. All sessions end, and the password must be reset.

    The mail that resets it is sent at once, to the address that the alert was sent to.
    """
    await takeovers.not_me(data.token)
