"""The passkeys' part of an account's export."""

from typing import Any
from uuid import UUID

from grove_auth.passkeys.repository import PasskeyRepository
from grove_auth.resources import Resources

_SHOWN = {"id", "name", "backed_up", "created_at", "last_used_at"}


async def exported(_: Resources, user_id: UUID) -> list[dict[str, Any]]:
    """Passkeys that open the account."""
    found = await PasskeyRepository().of_user(user_id)
    return [passkey.model_dump(mode="json", include=_SHOWN) for passkey in found]
