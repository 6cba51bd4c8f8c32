"""Passkey routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_auth.deps import LimiterDep, ResourcesDep, SessionUser, SteppedUpUser
from grove_auth.devices import cookies as device_cookies
from grove_auth.models import Passkey
from grove_auth.passkeys.schemas import AddPasskey, PasskeyList, PasskeyLogin, PasskeyOptions, PasskeyRead
from grove_auth.passkeys.service import PasskeyService
from grove_auth.sessions import cookies
from grove_auth.sessions.schemas import TokenPair
from grove_auth.sign_ins.service import SignInService

router = APIRouter(
    prefix="/api/v1/auth/passkeys",
    tags=["passkeys"],
    route_class=GroveRoute,
    responses=error_responses(404, 409, 410),
)

LOGIN_LIMIT = Limit("passkey-login", 40, 60)
"""Per network; a sign-in is two requests."""


async def _service(resources: ResourcesDep) -> PasskeyService:
    return PasskeyService(resources)


async def _sign_ins(resources: ResourcesDep) -> SignInService:
    return SignInService(resources)


Passkeys = Annotated[PasskeyService, Depends(_service)]
SignIns = Annotated[SignInService, Depends(_sign_ins)]


async def _limited(limiter: LimiterDep) -> None:
    context = current_context()
    await limiter.enforce(LOGIN_LIMIT, network_of(context.client_ip if context else None))


@router.post("/options")
async def options_to_register(user: SteppedUpUser, passkeys: Passkeys) -> PasskeyOptions:
    """Begin to add a passkey: hand `public_key` to `navigator.credentials.create()`.

    Sign in at most 5 minutes before.
    """
    return await passkeys.options_to_register(user.user_id)


@router.post("", status_code=201)
async def add_passkey(data: AddPasskey, user: SessionUser, passkeys: Passkeys) -> PasskeyRead:
    """Add the passkey that your device made. You can have 20."""
    return _read(await passkeys.add(user.user_id, data))


@router.get("")
async def list_passkeys(user: SessionUser, passkeys: Passkeys) -> PasskeyList:
    """Your passkeys, newest first."""
    return PasskeyList(items=[_read(passkey) for passkey in await passkeys.of_user(user.user_id)])


@router.delete("/{passkey_id}", status_code=204)
async def remove_passkey(passkey_id: UUID, user: SteppedUpUser, passkeys: Passkeys) -> None:
    """Remove one of your passkeys. Sign in at most 5 minutes before."""
    await passkeys.remove(user.user_id, passkey_id)


@router.post("/login/options", dependencies=[Depends(_limited)])
async def options_to_sign_in(passkeys: Passkeys) -> PasskeyOptions:
    """Begin to sign in: hand `public_key` to `navigator.credentials.get()`. Nobody is named; the passkey knows."""
    return await passkeys.options_to_sign_in()


@router.post("/login", dependencies=[Depends(_limited)])
async def login_by_passkey(data: PasskeyLogin, request: Request, response: Response, sign_ins: SignIns) -> TokenPair:
    """Sign in with your device's answer. A passkey that checked your PIN or biometrics counts as two factors."""
    return cookies.answer(response, await sign_ins.login_by_passkey(data, device_cookies.token_of(request)))


@router.post("/reauthenticate/options")
async def options_to_reauthenticate(user: SessionUser, passkeys: Passkeys) -> PasskeyOptions:
    """Begin to prove again that it is you; the answer goes to `/reauthenticate`."""
    return await passkeys.options_to_reauthenticate(user.user_id)


def _read(passkey: Passkey) -> PasskeyRead:
    return PasskeyRead(
        id=passkey.id,
        name=passkey.name,
        synced=not passkey.device_bound,
        created_at=passkey.created_at,
        last_used_at=passkey.last_used_at,
    )
