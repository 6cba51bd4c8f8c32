"""The linked identities' part of an account's export."""

from typing import Any
from uuid import UUID

from grove_auth.identities.repository import IdentityRepository
from grove_auth.resources import Resources

_SHOWN = {"provider", "issuer", "subject", "email", "created_at"}


async def exported(_: Resources, user_id: UUID) -> list[dict[str, Any]]:
    """Accounts at providers that open this one."""
    found = await IdentityRepository().of_user(user_id)
    return [identity.model_dump(mode="json", include=_SHOWN) for identity in found]
