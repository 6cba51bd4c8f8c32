"""Administration routes: each names the permission it needs; admin/rules.py says on whom it may be used."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from grove.security.principal import Principal
from grove.web.auth import require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import Page, invalid_query, page_headers
from grove.web.query import parameters_of, query_as
from grove_auth.admin.accounts import AccountService
from grove_auth.admin.schemas import Block, NewUser, UserFilter, UserPatch, UserRead
from grove_auth.admin.service import AdminService
from grove_auth.deps import ResourcesDep
from grove_auth.mfa.factors import FactorService

router = APIRouter(
    prefix="/api/v1/auth/admin/users",
    tags=["administration"],
    route_class=GroveRoute,
    responses=error_responses(404, 409),
)

UserReader = Annotated[Principal, require("users:read")]
UserWriter = Annotated[Principal, require("users:write")]
UserBlocker = Annotated[Principal, require("users:block")]
Wanted = Annotated[UserFilter, query_as(UserFilter)]


async def _service(resources: ResourcesDep) -> AdminService:
    return AdminService(resources)


async def _accounts(resources: ResourcesDep) -> AccountService:
    return AccountService(resources)


async def _factors(resources: ResourcesDep) -> FactorService:
    return FactorService(resources)


Administration = Annotated[AdminService, Depends(_service)]
Factors = Annotated[FactorService, Depends(_factors)]
Accounts = Annotated[AccountService, Depends(_accounts)]


@router.get("", openapi_extra=parameters_of(UserFilter))
async def list_users(
    request: Request, response: Response, _: UserReader, administration: Administration, wanted: Wanted
) -> Page[UserRead]:
    """List accounts, newest first."""
    if wanted.cursor is not None:
        raise invalid_query("cursor", "is not taken by this list; use page")
    if wanted.sort not in {"created_at", "-created_at"}:
        raise invalid_query("sort", "can be created_at or -created_at")
    users, total = await administration.page(wanted)
    response.headers.update(page_headers(request, wanted, total))
    return Page(
        items=[UserRead.of(user) for user in users],
        total=total,
        page=wanted.number,
        size=wanted.size,
        pages=wanted.pages(total),
    )


@router.post("", status_code=201)
async def create_user(data: NewUser, actor: UserWriter, accounts: Accounts) -> UserRead:
    """Make an account with roles that you could have yourself.

    Without a password, or with an address that is not verified, its user gets a link by mail that sets a password.
    """
    return UserRead.of(await accounts.create(actor, data))


@router.get("/{user_id}")
async def get_user(user_id: UUID, _: UserReader, administration: Administration) -> UserRead:
    """Read an account."""
    return UserRead.of(await administration.read(user_id))


@router.patch("/{user_id}")
async def change_user(user_id: UUID, data: UserPatch, actor: UserWriter, accounts: Accounts) -> UserRead:
    """Change an account. Roles that you take are gone from its tokens within a second; its sessions go on."""
    return UserRead.of(await accounts.change(actor, user_id, data))


@router.delete("/{user_id}", status_code=204)
async def delete_user(user_id: UUID, actor: UserWriter, accounts: Accounts) -> None:
    """Delete an account, at once and for good, as its user could."""
    await accounts.delete(actor, user_id)


@router.post("/{user_id}/block")
async def block_user(user_id: UUID, data: Block, actor: UserBlocker, administration: Administration) -> UserRead:
    """Block an account for a time or until it is unblocked. Its sessions end everywhere within a second."""
    return UserRead.of(await administration.block(actor, user_id, data))


@router.post("/{user_id}/unblock")
async def unblock_user(user_id: UUID, actor: UserBlocker, administration: Administration) -> UserRead:
    """Take a block back."""
    return UserRead.of(await administration.unblock(actor, user_id))


@router.post("/{user_id}/revoke-sessions", status_code=204)
async def revoke_sessions(user_id: UUID, actor: UserBlocker, administration: Administration) -> None:
    """End all sessions of an account, and trust none of its devices."""
    await administration.revoke_sessions(actor, user_id)


@router.delete("/{user_id}/mfa", status_code=204)
async def turn_off_mfa(user_id: UUID, actor: UserWriter, administration: Administration, factors: Factors) -> None:
    """Turn off the second factors of an account whose owner lost them."""
    user = await administration.to_act_on(actor, user_id, "mfa.disabled")
    if user.second_factors:
        await factors.turn_off(user, "admin")
