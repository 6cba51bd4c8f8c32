"""Role routes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from grove.security.principal import Principal
from grove.web.auth import require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import ListQuery, Page, invalid_query, page_headers
from grove.web.query import parameters_of, query_as
from grove_auth.deps import ResourcesDep
from grove_auth.roles.permissions import PERMISSIONS
from grove_auth.roles.schemas import NewRole, PermissionList, PermissionRead, RolePatch, RoleRead
from grove_auth.roles.service import RoleService

router = APIRouter(
    prefix="/api/v1/auth/admin",
    tags=["roles"],
    route_class=GroveRoute,
    responses=error_responses(404, 409),
)

RoleWriter = Annotated[Principal, require("roles:write")]
Wanted = Annotated[ListQuery, query_as(ListQuery)]
Name = Annotated[str, Path(max_length=40)]


async def _service(resources: ResourcesDep) -> RoleService:
    return RoleService(resources)


Roles = Annotated[RoleService, Depends(_service)]


@router.get("/permissions")
async def list_permissions(_: RoleWriter) -> PermissionList:
    """Everything that roles can permit, each with a sentence."""
    return PermissionList(
        items=[PermissionRead(name=name, description=sentence) for name, sentence in PERMISSIONS.items()]
    )


@router.get("/roles", openapi_extra=parameters_of(ListQuery))
async def list_roles(
    request: Request, response: Response, _: RoleWriter, roles: Roles, wanted: Wanted
) -> Page[RoleRead]:
    """List roles, newest first."""
    if wanted.cursor is not None:
        raise invalid_query("cursor", "is not taken by this list; use page")
    if wanted.sort not in {"created_at", "-created_at"}:
        raise invalid_query("sort", "can be created_at or -created_at")
    found = sorted(await roles.all(), key=lambda role: (role.created_at, role.id), reverse=wanted.sort[0] == "-")
    response.headers.update(page_headers(request, wanted, len(found)))
    return Page(
        items=[RoleRead.of(role) for role in found[wanted.offset : wanted.offset + wanted.size]],
        total=len(found),
        page=wanted.number,
        size=wanted.size,
        pages=wanted.pages(len(found)),
    )


@router.post("/roles", status_code=201)
async def create_role(data: NewRole, actor: RoleWriter, roles: Roles) -> RoleRead:
    """Make a role, of permissions that you have yourself."""
    return RoleRead.of(await roles.create(actor, data))


@router.get("/roles/{name}")
async def get_role(name: Name, _: RoleWriter, roles: Roles) -> RoleRead:
    """Read a role."""
    return RoleRead.of(await roles.get(name))


@router.patch("/roles/{name}")
async def change_role(name: Name, data: RolePatch, actor: RoleWriter, roles: Roles) -> RoleRead:
    """Change a role. Those who have it get what it permits with their next access token."""
    return RoleRead.of(await roles.change(actor, name, data))


@router.delete("/roles/{name}", status_code=204)
async def delete_role(name: Name, actor: RoleWriter, roles: Roles) -> None:
    """Delete a role that nobody has."""
    await roles.delete(actor, name)
