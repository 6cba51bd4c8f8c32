"""CAPTCHA routes."""

from typing import Annotated

from fastapi import APIRouter, Depends

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.captcha.schemas import Challenge
from grove_auth.captcha.service import CaptchaService
from grove_auth.deps import ResourcesDep, limit_strangers

router = APIRouter(prefix="/api/v1/auth", tags=["captcha"], route_class=GroveRoute, responses=error_responses())


async def _service(resources: ResourcesDep) -> CaptchaService:
    return CaptchaService(resources)


Captcha = Annotated[CaptchaService, Depends(_service)]


@router.get("/captcha/challenge", dependencies=[Depends(limit_strangers)])
async def captcha_challenge(captcha: Captcha) -> Challenge:
    """A challenge to solve, for requests that were answered with `CAPTCHA_REQUIRED`. Its solution counts once."""
    return await captcha.challenge()
