"""GET /export."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from grove.core.clock import now
from grove.core.errors import InvalidToken
from grove.security.principal import Principal
from grove.web.auth import Authenticator, require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_resource.deps import ReadsDep, ResourcesDep
from grove_resource.exports.archive import archive
from grove_resource.exports.repository import ArchiveQueries
from grove_resource.exports.schemas import Archive
from grove_resource.profiles.reading import Viewer
from grove_resource.profiles.repository import ProfileQueries

EXPORT_LIMIT = Limit("export", 10, 3600)

router = APIRouter(prefix="/api/v1/export", tags=["export"], route_class=GroveRoute, responses=error_responses())

Exporter = Annotated[Principal, require("tasks:read", "profile:read", "moments:read", limit=EXPORT_LIMIT)]


@router.get("", response_model=Archive)
async def export(request: Request, user: Exporter, reads: ReadsDep, resources: ResourcesDep) -> StreamingResponse:
    """Download all that this service has of you as one JSON file: profile, tags, tasks with their shares, reminders
    and attachments, activities with all their schemas, and moments.

    The file is written while it is read from the database. When that fails in the middle the connection breaks, and
    what arrived is no JSON. What you change meanwhile is in it as it was or as it is.
    """
    authenticator: Authenticator = request.app.state.authenticator

    async def still_signed_in() -> None:
        if not await authenticator.gate.admits(user):
            raise InvalidToken

    exported_at = now()
    viewer = Viewer(ProfileQueries(reads), resources.sessions, user.user_id)
    _, profile = await viewer.own_json(resources.profile_cache, resources.settings.public_api_url)
    parts = archive(ArchiveQueries(reads, user.user_id), user.user_id, exported_at, profile, still_signed_in)
    name = f"grove-resource-export-{exported_at.date().isoformat()}.json"
    return StreamingResponse(
        parts, media_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
