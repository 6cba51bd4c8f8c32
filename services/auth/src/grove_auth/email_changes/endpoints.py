"""Routes of another address."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_auth.deps import RESEND_LIMIT, LimiterDep, ResourcesDep, SteppedUpUser
from grove_auth.email_changes.schemas import ChangeEmail, MailedToken
from grove_auth.email_changes.service import EmailChangeService
from grove_auth.one_time_tokens import token_hash
from grove_auth.takeovers.service import TakeoverService

router = APIRouter(prefix="/api/v1/auth", tags=["account"], route_class=GroveRoute, responses=error_responses(409, 410))

CHANGE_LIMIT = Limit("change-email", 3, 3600)
"""Per user: each asks for a mail to an address of their choice."""


async def _service(resources: ResourcesDep) -> EmailChangeService:
    return EmailChangeService(resources)


async def _takeovers(resources: ResourcesDep) -> TakeoverService:
    return TakeoverService(resources)


EmailChanges = Annotated[EmailChangeService, Depends(_service)]
Takeovers = Annotated[TakeoverService, Depends(_takeovers)]


@router.post("/change-email", status_code=202, response_class=Response)
async def change_email(data: ChangeEmail, user: SteppedUpUser, changes: EmailChanges, limiter: LimiterDep) -> Response:
    """Ask for another address; the link in the mail to it changes it. The answer is the same for a taken address."""
    await limiter.enforce(CHANGE_LIMIT, str(user.user_id))
    await limiter.enforce(RESEND_LIMIT, f"change-email:{token_hash(data.new_email).hex()[:32]}")
    await changes.request(user.user_id, data.new_email)
    return Response(status_code=202)


@router.post("/change-email/confirm", status_code=204)
async def confirm_email(data: MailedToken, changes: EmailChanges) -> None:
    """Change the address with the token of the mailed link. The old address is told, and can take it back."""
    await changes.confirm(data.token)


@router.post("/change-email/undo", status_code=204)
async def undo_email_change(data: MailedToken, takeovers: Takeovers) -> None:
    """Take a change back, and all later ones, with the token of the mail to the old address.

    All sessions end, and the password must be reset by the mail that is sent to the old address.
    """
    await takeovers.undo(data.token)
