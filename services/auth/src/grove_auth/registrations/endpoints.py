"""Registration routes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_auth.captcha.endpoints import Captcha
from grove_auth.deps import RESEND_LIMIT, LimiterDep, ResourcesDep, limit_strangers
from grove_auth.one_time_tokens import token_hash
from grove_auth.registrations.schemas import Register, ResendVerification, VerifyEmail
from grove_auth.registrations.service import RegistrationService

router = APIRouter(prefix="/api/v1/auth", tags=["registration"], route_class=GroveRoute, responses=error_responses(410))

REGISTER_LIMIT = Limit("register", 3, 3600)


async def _service(resources: ResourcesDep) -> RegistrationService:
    return RegistrationService(resources)


Registrations = Annotated[RegistrationService, Depends(_service)]


@router.post("/register", status_code=202, response_class=Response)
async def register(data: Register, registrations: Registrations, captcha: Captcha, limiter: LimiterDep) -> Response:
    """Ask for an account; the link in the mail makes it. The answer is the same for a taken address."""
    context = current_context()
    await limiter.enforce(REGISTER_LIMIT, network_of(context.client_ip if context else None))
    await captcha.guard(data.email, data.captcha)
    await registrations.register(data)
    return Response(status_code=202)


@router.post("/verify-email", status_code=204, dependencies=[Depends(limit_strangers)])
async def verify_email(data: VerifyEmail, registrations: Registrations) -> None:
    """Verify the address with the token of the mailed link."""
    await registrations.verify(data.token)


@router.post("/resend-verification", status_code=202, response_class=Response)
async def resend_verification(
    data: ResendVerification, registrations: Registrations, captcha: Captcha, limiter: LimiterDep
) -> Response:
    """Mail a new link. The answer is the same whether or not something waits for verification."""
    await limiter.enforce(RESEND_LIMIT, token_hash(data.email).hex()[:32])
    await captcha.guard(data.email, data.captcha)
    await registrations.resend(data.email)
    return Response(status_code=202)
