"""The sessions' part of an account's export."""

from typing import Any
from uuid import UUID

from grove_auth.resources import Resources
from grove_auth.sessions.repository import SessionRepository
from grove_auth.sessions.schemas import SessionRead

_SHOWN = set(SessionRead.model_fields) - {"current"}


async def exported(_: Resources, user_id: UUID) -> list[dict[str, Any]]:
    """Where the account is signed in."""
    return [s.model_dump(mode="json", include=_SHOWN) for s in await SessionRepository().of_user(user_id)]
