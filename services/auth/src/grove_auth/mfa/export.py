"""The second factors' part of an account's export."""

from typing import Any
from uuid import UUID

from grove_auth.mfa.repository import FactorRepository
from grove_auth.resources import Resources
from grove_auth.users.service import UserService


async def exported(resources: Resources, user_id: UUID) -> dict[str, Any]:
    """Which second factors are on, and how many backup codes are left."""
    user = await UserService(resources).me(user_id)
    factors = await FactorRepository().get(user_id)
    return {"methods": user.second_factors, "backup_codes_left": len(factors.backup_hashes) if factors else 0}
