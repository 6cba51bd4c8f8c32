"""CAPTCHA routes."""

from typing import Annotated

from fastapi import APIRouter, Depends

from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.auth import ANONYMOUS_LIMIT
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.captcha.schemas import Challenge
from grove_auth.captcha.service import CaptchaService
from grove_auth.deps import LimiterDep, ResourcesDep

router = APIRouter(prefix="/api/v1/auth", tags=["captcha"], route_class=GroveRoute, responses=error_responses())


async def _service(resources: ResourcesDep) -> CaptchaService:
    return CaptchaService(resources)


Captcha = Annotated[CaptchaService, Depends(_service)]


@router.get("/captcha/challenge")
async def captcha_challenge(captcha: Captcha, limiter: LimiterDep) -> Challenge:
    """A challenge to solve, for requests that were answered with `CAPTCHA_REQUIRED`. Its solution counts once."""
    context = current_context()
    await limiter.enforce(ANONYMOUS_LIMIT, network_of(context.client_ip if context else None))
    return await captcha.challenge()
