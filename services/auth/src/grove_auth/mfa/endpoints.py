"""Routes of second factors."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response

from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_auth.deps import CODE_LIMIT, LimiterDep, ResourcesDep, SessionUser, SteppedUpUser
from grove_auth.devices import cookies as device_cookies
from grove_auth.mfa.challenges import ChallengeService
from grove_auth.mfa.factors import FactorService
from grove_auth.mfa.recovery import RecoveryService
from grove_auth.mfa.schemas import (
    BackupCodes,
    CancelRecovery,
    Confirm,
    EnrolPhone,
    Recover,
    SendCode,
    TotpSetup,
    VerifyMfa,
)
from grove_auth.sessions import cookies
from grove_auth.sessions.schemas import TokenPair
from grove_auth.sign_ins.service import SignInService

router = APIRouter(
    prefix="/api/v1/auth/mfa", tags=["second factors"], route_class=GroveRoute, responses=error_responses(409, 410)
)

VERIFY_LIMIT = Limit("mfa", 30, 60)
CONFIRM_LIMIT = Limit("mfa-confirm", 5, 60)
RECOVERY_LIMIT = Limit("mfa-recovery", 3, 3600)


async def _factors(resources: ResourcesDep) -> FactorService:
    return FactorService(resources)


async def _challenges(resources: ResourcesDep) -> ChallengeService:
    return ChallengeService(resources)


async def _recoveries(resources: ResourcesDep) -> RecoveryService:
    return RecoveryService(resources)


async def _sign_ins(resources: ResourcesDep) -> SignInService:
    return SignInService(resources)


Factors = Annotated[FactorService, Depends(_factors)]
Challenges = Annotated[ChallengeService, Depends(_challenges)]
Recoveries = Annotated[RecoveryService, Depends(_recoveries)]
SignIns = Annotated[SignInService, Depends(_sign_ins)]


@router.post("/totp")
async def begin_totp(user: SteppedUpUser, factors: Factors) -> TotpSetup:
    """Set up an authenticator app. It counts once you confirm it with a code; one that is on counts until then."""
    return await factors.begin_totp(user)


@router.post("/totp/confirm")
async def confirm_totp(data: Confirm, user: SessionUser, factors: Factors, limiter: LimiterDep) -> BackupCodes:
    """Turn the app on with a code of it. The backup codes are shown this once; those before work no more."""
    await limiter.enforce(CONFIRM_LIMIT, str(user.user_id))
    return BackupCodes(backup_codes=await factors.confirm_totp(user, data.code))


@router.post("/backup-codes")
async def renew_backup_codes(user: SteppedUpUser, factors: Factors) -> BackupCodes:
    """Make ten new backup codes. Those before work no more."""
    return BackupCodes(backup_codes=await factors.renew_codes(user))


@router.post("/sms", status_code=202, response_class=Response)
async def begin_sms(data: EnrolPhone, user: SteppedUpUser, factors: Factors, limiter: LimiterDep) -> Response:
    """Send a code to the phone that shall get codes."""
    await limiter.enforce(CODE_LIMIT, str(user.user_id))
    await factors.begin_sms(user, data.phone)
    return Response(status_code=202)


@router.post("/sms/confirm")
async def confirm_sms(data: Confirm, user: SessionUser, factors: Factors, limiter: LimiterDep) -> BackupCodes:
    """Turn codes by SMS on with the code that was sent."""
    await limiter.enforce(CONFIRM_LIMIT, str(user.user_id))
    return BackupCodes(backup_codes=await factors.confirm_sms(user, data.code))


@router.post("/email")
async def enable_email(user: SteppedUpUser, factors: Factors) -> BackupCodes:
    """Turn codes by mail to your address on."""
    return BackupCodes(backup_codes=await factors.enable_email(user))


@router.post("/challenge", status_code=202, response_class=Response)
async def send_code(data: SendCode, challenges: Challenges, limiter: LimiterDep) -> Response:
    """Send a code for a sign-in that waits for its second factor; three at most."""
    await limiter.enforce(VERIFY_LIMIT, _network())
    user = await challenges.waiting(data.mfa_token)
    await limiter.enforce(CODE_LIMIT, str(user.id))
    await challenges.send(user, data)
    return Response(status_code=202)


@router.post("/verify")
async def verify(data: VerifyMfa, response: Response, sign_ins: SignIns, limiter: LimiterDep) -> TokenPair:
    """Finish a sign-in with a second factor. Five tries; then sign in anew.

    With `trust_device` a cookie lets this browser skip the second factor for 30 days.
    """
    await limiter.enforce(VERIFY_LIMIT, _network())
    tokens, device = await sign_ins.second_factor(data)
    if device is not None:
        device_cookies.remember(response, device)
    return cookies.answer(response, tokens)


@router.post("/recovery", status_code=202, response_class=Response)
async def begin_recovery(
    data: Recover, challenges: Challenges, recoveries: Recoveries, limiter: LimiterDep
) -> Response:
    """Say that the device is lost: after a wait of 72 hours, which a mailed link can stop, MFA is off."""
    await limiter.enforce(VERIFY_LIMIT, _network())
    user = await challenges.waiting(data.mfa_token)
    await limiter.enforce(RECOVERY_LIMIT, str(user.id))
    await recoveries.begin(user)
    return Response(status_code=202)


@router.post("/recovery/cancel", status_code=204)
async def cancel_recovery(data: CancelRecovery, recoveries: Recoveries) -> None:
    """Stop a recovery with the token of the mailed link."""
    await recoveries.cancel(data.token)


@router.delete("/{method}", status_code=204)
async def remove_factor(method: Literal["totp", "sms", "email"], user: SteppedUpUser, factors: Factors) -> None:
    """Turn a second factor off. This session must have proven one; without any left, MFA is off."""
    await factors.remove(user, method)


def _network() -> str:
    context = current_context()
    return network_of(context.client_ip if context else None)
