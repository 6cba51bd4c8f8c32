"""Account routes."""

from typing import Annotated

from fastapi import APIRouter, Depends

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.deletions.service import DeletionService
from grove_auth.deps import AccountReader, ResourcesDep, SessionUser, SteppedUpUser
from grove_auth.models import User
from grove_auth.roles import permissions_of
from grove_auth.users.schemas import Me, MePatch
from grove_auth.users.service import UserService

router = APIRouter(prefix="/api/v1/auth", tags=["account"], route_class=GroveRoute, responses=error_responses())


async def _service(resources: ResourcesDep) -> UserService:
    return UserService(resources)


async def _deletions(resources: ResourcesDep) -> DeletionService:
    return DeletionService(resources)


Users = Annotated[UserService, Depends(_service)]
Deletions = Annotated[DeletionService, Depends(_deletions)]


@router.get("/me")
async def read_me(user: AccountReader, users: Users) -> Me:
    """Your account."""
    return _me(await users.me(user.user_id))


@router.patch("/me")
async def change_me(data: MePatch, user: SessionUser, users: Users) -> Me:
    """Change locale, timezone or marketing consent."""
    return _me(await users.change(user.user_id, data))


@router.delete("/me", status_code=204)
async def delete_me(user: SteppedUpUser, deletions: Deletions) -> None:
    """Delete your account, at once and for good. Sign in at most 5 minutes before.

    Its tokens die everywhere within a second; every service erases what it has of you.
    """
    await deletions.delete(user.user_id)


def _me(user: User) -> Me:
    return Me(
        **user.model_dump(include=set(Me.model_fields) - {"permissions", "mfa_enabled"}),
        permissions=sorted(permissions_of(user.roles)),
    )
