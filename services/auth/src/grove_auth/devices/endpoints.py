"""Routes of trusted devices."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.deps import ResourcesDep, SessionUser
from grove_auth.devices import cookies
from grove_auth.devices.schemas import DeviceList, DeviceRead
from grove_auth.devices.service import DeviceService

router = APIRouter(
    prefix="/api/v1/auth/devices", tags=["trusted devices"], route_class=GroveRoute, responses=error_responses(404)
)


async def _service(resources: ResourcesDep) -> DeviceService:
    return DeviceService(resources)


Devices = Annotated[DeviceService, Depends(_service)]


@router.get("")
async def list_devices(request: Request, user: SessionUser, devices: Devices) -> DeviceList:
    """The browsers that may skip your second factor, newest first."""
    current = await devices.trusted(user.user_id, cookies.token_of(request))
    found = await devices.of_user(user.user_id)
    return DeviceList(
        items=[DeviceRead(**device.model_dump(include=_SHOWN), current=device.id == current) for device in found]
    )


@router.delete("", status_code=204)
async def revoke_all_devices(response: Response, user: SessionUser, devices: Devices) -> None:
    """Trust none of them any more."""
    cookies.forget(response)
    await devices.revoke_all(user.user_id)


@router.delete("/{device_id}", status_code=204)
async def revoke_device(device_id: UUID, user: SessionUser, devices: Devices) -> None:
    """Trust it no more: its next sign-in needs a second factor."""
    await devices.revoke(user.user_id, device_id)


_SHOWN = set(DeviceRead.model_fields) - {"current"}
