"""Reading the audit log."""

from typing import Annotated

from fastapi import APIRouter, Depends

from grove.security.principal import Principal
from grove.web.auth import require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, ListQuery
from grove.web.query import parameters_of, query_as
from grove_auth.audit.schemas import AuditEventRead, AuditFilter, SecurityEventRead
from grove_auth.audit.service import AuditService
from grove_auth.deps import ResourcesDep, SessionUser

router = APIRouter(prefix="/api/v1/auth", route_class=GroveRoute, responses=error_responses())

AuditReader = Annotated[Principal, require("audit:read")]
Wanted = Annotated[AuditFilter, query_as(AuditFilter)]
Walk = Annotated[ListQuery, query_as(ListQuery)]


async def _service(resources: ResourcesDep) -> AuditService:
    return AuditService(resources)


Audit = Annotated[AuditService, Depends(_service)]


@router.get("/admin/audit-events", tags=["administration"], openapi_extra=parameters_of(AuditFilter))
async def list_audit_events(_: AuditReader, audit: Audit, wanted: Wanted) -> CursorPage[AuditEventRead]:
    """Search the audit log, newest first. Without a cursor it begins at the newest; this reading is logged too."""
    items, following = await audit.search(wanted)
    return CursorPage(items=items, size=wanted.size, next_cursor=following)


@router.get("/security-events", tags=["account"], openapi_extra=parameters_of(ListQuery))
async def list_security_events(user: SessionUser, audit: Audit, wanted: Walk) -> CursorPage[SecurityEventRead]:
    """What was done by your account and to it, newest first. Without a cursor it begins at the newest."""
    items, following = await audit.history(user.user_id, wanted)
    return CursorPage(items=items, size=wanted.size, next_cursor=following)
