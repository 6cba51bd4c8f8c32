"""JWKS, and the rotation of its keys."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from grove.security.principal import Principal
from grove.web.auth import require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.deps import ResourcesDep
from grove_auth.keys.rotation import KeyRotation
from grove_auth.keys.schemas import Rotate, SigningKeyList

router = APIRouter(tags=["keys"], route_class=GroveRoute)


@router.get("/.well-known/jwks.json")
async def jwks(request: Request, response: Response) -> dict[str, Any]:
    """The public keys of access tokens (RFC 7517)."""
    response.headers["Cache-Control"] = "public, max-age=300"
    keys: dict[str, Any] = await request.app.state.resources.keys.jwks()
    return keys


KeyRotator = Annotated[Principal, require("keys:rotate", step_up=True)]


async def _rotation(resources: ResourcesDep) -> KeyRotation:
    return KeyRotation(resources)


@router.post("/api/v1/auth/admin/keys/rotate", tags=["administration"], responses=error_responses(409))
async def rotate_keys(
    data: Rotate, _: KeyRotator, rotation: Annotated[KeyRotation, Depends(_rotation)], resources: ResourcesDep
) -> SigningKeyList:
    """Sign access tokens with a new key. Sign in at most 5 minutes before.

    The new key is published at once and signs some minutes later, when every service has it; the old one stays until
    the last token it signed is dead. With `revoke` the new key signs at once and the tokens of all keys so far die
    within a second; sessions live on and refresh.
    """
    keys = await (rotation.revoke() if data.revoke else rotation.rotate())
    return SigningKeyList.of(keys, await resources.keys.signing())
