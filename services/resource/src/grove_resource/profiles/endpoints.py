"""Profile routes."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import TypeAdapter

from grove.service.sessions import after_commit
from grove.web.answers import json_answer, json_text
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions, etag
from grove_resource.deps import EventOutbox, ProfileReader, ProfileWriter, ReadsDep, ResourcesDep, WriteSession
from grove_resource.models import Profile
from grove_resource.profiles.reading import Viewer
from grove_resource.profiles.repository import ProfileQueries, ProfileRepository
from grove_resource.profiles.schemas import ProfileRead, ProfileReplace, PublicProfile
from grove_resource.profiles.service import ProfileService

router = APIRouter(prefix="/api/v1", tags=["profiles"], route_class=GroveRoute, responses=error_responses(404, 412))

_PROFILE = TypeAdapter(ProfileRead)
_PUBLIC = TypeAdapter(PublicProfile)
_KEPT = {"Cache-Control": "private, max-age=300", "Vary": "Authorization"}
HAVE_IT: dict[int | str, dict[str, Any]] = {304: {"description": "You have this version"}}


async def _viewer(user: ProfileReader, reads: ReadsDep, resources: ResourcesDep) -> Viewer:
    return Viewer(ProfileQueries(reads), resources.sessions, user.user_id)


async def _service(
    user: ProfileWriter, session: WriteSession, outbox: EventOutbox, resources: ResourcesDep
) -> ProfileService:
    after_commit(session, partial(resources.profile_cache.forget, user.user_id))
    return ProfileService(ProfileRepository(session, user.user_id), outbox)


Profiles = Annotated[ProfileService, Depends(_service)]
ProfileViewer = Annotated[Viewer, Depends(_viewer)]


@router.get("/profile", response_model=ProfileRead, responses=HAVE_IT)
async def get_profile(profiles: ProfileViewer, resources: ResourcesDep, conditions: RequestConditions) -> Response:
    """Read your profile."""
    tag, body = await profiles.own_json(resources.profile_cache, resources.settings.public_api_url)
    headers = _KEPT | {"ETag": tag}
    return Response(status_code=304, headers=headers) if conditions.unchanged(tag) else json_text(body, headers=headers)


@router.put("/profile", response_model=ProfileRead, responses=error_responses(409))
async def replace_profile(
    data: ProfileReplace, profiles: Profiles, resources: ResourcesDep, conditions: RequestConditions
) -> Response:
    """Replace name and bio. A name belongs to one user, whatever the case of its letters."""
    return profile_answer(await profiles.replace(data, conditions), resources.settings.public_api_url)


@router.get("/profiles/{user_id}", response_model=PublicProfile, responses=HAVE_IT)
async def get_public_profile(
    user_id: UUID, profiles: ProfileViewer, resources: ResourcesDep, conditions: RequestConditions
) -> Response:
    """Read what a user shows of themselves."""
    profile = await profiles.of(user_id)
    headers = {"ETag": etag(user_id, profile.version)}
    if conditions.unchanged(headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return json_answer(_PUBLIC, PublicProfile.of(profile, resources.settings.public_api_url), headers=headers)


def profile_answer(profile: Profile, api_url: str, headers: dict[str, str] | None = None) -> Response:
    """The user's own profile after a change."""
    tag = {"ETag": etag(profile.user_id, profile.version)}
    return json_answer(_PROFILE, ProfileRead.of(profile, api_url), headers=tag | (headers or {}))
