"""The export's route."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from grove.security.principal import Principal
from grove.web.auth import require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_auth.deps import ResourcesDep
from grove_auth.export.schemas import Export
from grove_auth.export.service import ExportService

router = APIRouter(prefix="/api/v1/auth", tags=["account"], route_class=GroveRoute, responses=error_responses())

EXPORT_LIMIT = Limit("export", 5, 3600)
ExportingUser = Annotated[Principal, require("account:read", limit=EXPORT_LIMIT)]


async def _service(resources: ResourcesDep) -> ExportService:
    return ExportService(resources)


Exports = Annotated[ExportService, Depends(_service)]


@router.get("/export")
async def export_account(response: Response, user: ExportingUser, exports: Exports) -> Export:
    """Download what this service has of you, as one JSON document. The other services have exports of their own."""
    response.headers["Content-Disposition"] = 'attachment; filename="grove-auth.json"'
    return await exports.export(user.user_id)
