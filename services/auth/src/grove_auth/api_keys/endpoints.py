"""API key routes. A key can't reach them: they need a signed-in session."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.api_keys.schemas import ApiKeyCreate, ApiKeyList, ApiKeyMade, ApiKeyRead, ApiKeyRotate
from grove_auth.api_keys.service import ApiKeyService
from grove_auth.deps import ResourcesDep, SessionUser, SteppedUpUser
from grove_auth.models import ApiKey

router = APIRouter(
    prefix="/api/v1/auth/api-keys", tags=["API keys"], route_class=GroveRoute, responses=error_responses(404, 409)
)


async def _service(resources: ResourcesDep) -> ApiKeyService:
    return ApiKeyService(resources)


ApiKeys = Annotated[ApiKeyService, Depends(_service)]


@router.post("", status_code=201)
async def create_api_key(data: ApiKeyCreate, user: SteppedUpUser, api_keys: ApiKeys) -> ApiKeyMade:
    """Make a key for a program. Its secret is shown this once; send it as `Authorization: Bearer grv_…`.

    It works in every service where its scopes allow, but for what needs a signed-in session. At most 20 keys.
    Changing your password ends your keys. Sign in at most 5 minutes before.
    """
    return _made(*await api_keys.create(user, data))


@router.get("")
async def list_api_keys(user: SessionUser, api_keys: ApiKeys) -> ApiKeyList:
    """Your keys, newest first."""
    return ApiKeyList(items=[ApiKeyRead.model_validate(key) for key in await api_keys.of_user(user.user_id)])


@router.post("/{key_id}/rotate")
async def rotate_api_key(key_id: UUID, data: ApiKeyRotate, user: SteppedUpUser, api_keys: ApiKeys) -> ApiKeyMade:
    """Give a key another secret, shown this once. Sign in at most 5 minutes before.

    The secret before works for `overlap_hours` more; the one before that ends at once.
    """
    return _made(*await api_keys.rotate(user, key_id, timedelta(hours=data.overlap_hours)))


@router.delete("/{key_id}", status_code=204)
async def delete_api_key(key_id: UUID, user: SessionUser, api_keys: ApiKeys) -> None:
    """Delete a key; it is dead everywhere within a second."""
    await api_keys.delete(user.user_id, key_id)


def _made(key: ApiKey, secret: str) -> ApiKeyMade:
    return ApiKeyMade(**ApiKeyRead.model_validate(key).model_dump(), secret=secret)
