"""The account's own parts of its export."""

from typing import Any
from uuid import UUID

from grove_auth.models import User
from grove_auth.resources import Resources
from grove_auth.users.service import UserService

_SHOWN = {"id", "email", "email_verified", "name", "roles", "locale", "timezone", "created_at", "updated_at"}


async def exported(resources: Resources, user_id: UUID) -> dict[str, Any]:
    """Who the account belongs to."""
    shown: dict[str, Any] = (await _user(resources, user_id)).model_dump(mode="json", include=_SHOWN)
    return shown


async def exported_consents(resources: Resources, user_id: UUID) -> dict[str, Any]:
    """What its user agreed to."""
    return {"marketing": (await _user(resources, user_id)).marketing}


async def _user(resources: Resources, user_id: UUID) -> User:
    return await UserService(resources).me(user_id)
