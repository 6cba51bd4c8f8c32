"""The trusted devices' part of an account's export."""

from typing import Any
from uuid import UUID

from grove_auth.devices.schemas import DeviceRead
from grove_auth.devices.service import DeviceService
from grove_auth.resources import Resources

_SHOWN = set(DeviceRead.model_fields) - {"current"}


async def exported(resources: Resources, user_id: UUID) -> list[dict[str, Any]]:
    """Browsers that may skip the second factor."""
    found = await DeviceService(resources).of_user(user_id)
    return [device.model_dump(mode="json", include=_SHOWN) for device in found]
