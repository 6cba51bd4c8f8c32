"""The global token version's route."""

from typing import Annotated

from fastapi import APIRouter, Depends

from grove.security.principal import Principal
from grove.web.auth import require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.deps import ResourcesDep
from grove_auth.token_versions.schemas import TokenVersion
from grove_auth.token_versions.service import TokenVersionService

router = APIRouter(
    prefix="/api/v1/auth/admin", tags=["administration"], route_class=GroveRoute, responses=error_responses()
)

TokenRevoker = Annotated[Principal, require("tokens:revoke", step_up=True)]


async def _service(resources: ResourcesDep) -> TokenVersionService:
    return TokenVersionService(resources)


TokenVersions = Annotated[TokenVersionService, Depends(_service)]


@router.post("/token-version")
async def raise_token_version(_: TokenRevoker, token_versions: TokenVersions) -> TokenVersion:
    """Sign everybody out, for use after a breach. Your own session ends too. Sign in at most 5 minutes before.

    Every access token, refresh token and API key that was given out before is dead in every service within a second.
    """
    return TokenVersion(version=await token_versions.increase())
