"""Routes of linked identities."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.deps import ResourcesDep, SessionUser, SteppedUpUser
from grove_auth.identities.schemas import IdentityList, IdentityRead
from grove_auth.identities.service import IdentityService

router = APIRouter(prefix="/api/v1/auth", tags=["identities"], route_class=GroveRoute, responses=error_responses())


async def _service(resources: ResourcesDep) -> IdentityService:
    return IdentityService(resources)


Identities = Annotated[IdentityService, Depends(_service)]


@router.get("/identities")
async def list_identities(user: SessionUser, identities: Identities) -> IdentityList:
    """The accounts at providers that open yours."""
    found = await identities.of_user(user.user_id)
    return IdentityList(items=[IdentityRead.model_validate(identity) for identity in found])


@router.delete("/identities/{provider}", status_code=204)
async def unlink_identity(
    provider: Annotated[str, Path(max_length=32)], user: SteppedUpUser, identities: Identities
) -> None:
    """Unlink a provider. The last way into your account stays: set a password or link another provider first."""
    await identities.unlink(user.user_id, provider)
