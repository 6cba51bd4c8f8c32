"""The API keys' part of an account's export."""

from typing import Any
from uuid import UUID

from grove_auth.api_keys.schemas import ApiKeyRead
from grove_auth.api_keys.service import ApiKeyService
from grove_auth.resources import Resources

_SHOWN = set(ApiKeyRead.model_fields)


async def exported(resources: Resources, user_id: UUID) -> list[dict[str, Any]]:
    """Keys that work for the account."""
    return [key.model_dump(mode="json", include=_SHOWN) for key in await ApiKeyService(resources).of_user(user_id)]
