"""JWKS."""

from typing import Any

from fastapi import APIRouter, Request, Response

from grove.web.body import GroveRoute

router = APIRouter(tags=["keys"], route_class=GroveRoute)


@router.get("/.well-known/jwks.json")
async def jwks(request: Request, response: Response) -> dict[str, Any]:
    """The public keys of access tokens (RFC 7517)."""
    response.headers["Cache-Control"] = "public, max-age=300"
    keys: dict[str, Any] = await request.app.state.resources.keys.jwks()
    return keys
