"""Account routes."""

from typing import Annotated

from fastapi import APIRouter, Depends

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.deletions.service import DeletionService
from grove_auth.deps import AccountReader, CurrentUser, ResourcesDep, SteppedUpUser, limit_strangers
from grove_auth.mfa.rules import must_enrol
from grove_auth.models import User
from grove_auth.resources import Resources
from grove_auth.users.schemas import Me, MePatch, Restore
from grove_auth.users.service import UserService

router = APIRouter(prefix="/api/v1/auth", tags=["account"], route_class=GroveRoute, responses=error_responses())


async def _service(resources: ResourcesDep) -> UserService:
    return UserService(resources)


async def _deletions(resources: ResourcesDep) -> DeletionService:
    return DeletionService(resources)


Users = Annotated[UserService, Depends(_service)]
Deletions = Annotated[DeletionService, Depends(_deletions)]


@router.get("/me")
async def read_me(user: AccountReader, users: Users, resources: ResourcesDep) -> Me:
    """Your account."""
    return await _me(await users.me(user.user_id), resources)


@router.patch("/me")
async def change_me(data: MePatch, user: CurrentUser, users: Users, resources: ResourcesDep) -> Me:
    """Change locale, timezone or marketing consent."""
    return await _me(await users.change(user.user_id, data), resources)


@router.delete("/me", status_code=204)
async def delete_me(user: SteppedUpUser, deletions: Deletions) -> None:
    """Delete your account. Sign in at most 5 minutes before.

    It is closed at once: its tokens die everywhere within a second. It is deleted at once and for good too, unless
    those who run this service keep closed accounts for some days; then a mail says until when, with a link to have
    it back. In the end every service erases what it has of you.
    """
    await deletions.close(user.user_id)


@router.post("/me/restore", status_code=204, responses=error_responses(410), dependencies=[Depends(limit_strangers)])
async def restore_me(data: Restore, deletions: Deletions) -> None:
    """Have your closed account back, before it is deleted, with the token of the mailed link. Then sign in."""
    await deletions.restore(data.token)


async def _me(user: User, resources: Resources) -> Me:
    return Me(
        **user.model_dump(include=set(Me.model_fields) - {"permissions", "mfa_enabled", "mfa_required"}),
        permissions=sorted(await resources.roles.permissions_of(user.roles)),
        mfa_enabled=bool(user.second_factors),
        mfa_required=must_enrol(user, resources.settings.mfa_required_roles),
    )
