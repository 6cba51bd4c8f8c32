"""Photo routes."""

from enum import IntEnum
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from grove.service.sessions import after_commit
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions
from grove.web.uploads import file_form, received_file
from grove_resource.deps import (
    EventOutbox,
    PhotoWriter,
    ProfileWriter,
    ResourcesDep,
    WriteSession,
)
from grove_resource.images.rules import MAX_BYTES
from grove_resource.profiles.endpoints import HAVE_IT, ProfileViewer, profile_answer
from grove_resource.profiles.photos import Photo, PhotoService, read_photo
from grove_resource.profiles.repository import ProfileRepository
from grove_resource.profiles.schemas import ProfileRead
from grove_resource.profiles.service import ProfileService
from grove_resource.resources import Resources

router = APIRouter(prefix="/api/v1", tags=["profiles"], route_class=GroveRoute, responses=error_responses(404))

_WEBP: dict[int | str, dict[str, Any]] = {
    200: {"description": "The photo", "content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}}},
    **HAVE_IT,
}
_KEPT = "private, max-age=3600"  # the address of another photo is another one
_ASKED_AGAIN = "private, no-cache"
_CHANGED = {"Content-Location": "/api/v1/profile"}
"""So that clients drop what they have of the profile."""


class PhotoSize(IntEnum):
    """Sides of the squares that photos are kept as, in pixels."""

    SMALL = 64
    MEDIUM = 256
    LARGE = 512


def _photos(user_id: UUID, session: WriteSession, outbox: EventOutbox, resources: Resources) -> PhotoService:
    later = partial(after_commit, session)
    later(partial(resources.profile_cache.forget, user_id))
    profiles = ProfileService(ProfileRepository(session, user_id), outbox)
    return PhotoService(profiles, resources.files, resources.renderer, later)


async def _uploads(
    user: PhotoWriter, session: WriteSession, outbox: EventOutbox, resources: ResourcesDep
) -> PhotoService:
    return _photos(user.user_id, session, outbox, resources)


async def _deletions(
    user: ProfileWriter, session: WriteSession, outbox: EventOutbox, resources: ResourcesDep
) -> PhotoService:
    return _photos(user.user_id, session, outbox, resources)


Uploads = Annotated[PhotoService, Depends(_uploads)]
Deletions = Annotated[PhotoService, Depends(_deletions)]
Size = Annotated[PhotoSize, Query(description="Side of the square, in pixels")]
Version = Annotated[str | None, Query(max_length=64, description="Anything: the URL of another photo is another URL")]


@router.post(
    "/profile/upload-photo",
    response_model=ProfileRead,
    responses=error_responses(412, 415),
    openapi_extra=file_form(description="JPEG, PNG, WebP or GIF of 5 MiB and 40 megapixels at most"),
)
async def upload_photo(
    request: Request, photos: Uploads, resources: ResourcesDep, conditions: RequestConditions
) -> Response:
    """Show another photo. Its middle square is kept in three sizes, without what the file says of place or camera."""
    async with received_file(request, limit=MAX_BYTES) as upload:
        profile = await photos.replace(upload, conditions)
    return profile_answer(profile, resources.settings.public_api_url, _CHANGED)


@router.get("/profile/photo", response_class=Response, responses=_WEBP)
async def get_photo(
    profiles: ProfileViewer, resources: ResourcesDep, conditions: RequestConditions, size: Size = PhotoSize.LARGE
) -> Response:
    """Your photo, as WebP."""
    photo = await read_photo(profiles.own, resources.files, size, conditions)
    return _answer(photo, {"Cache-Control": _ASKED_AGAIN, "Vary": "Authorization"})


@router.delete("/profile/photo", status_code=204, responses=error_responses(412))
async def delete_photo(photos: Deletions, conditions: RequestConditions) -> Response:
    """Show no photo any more. `If-Match` may name the photo's ETag or the profile's."""
    await photos.delete(conditions)
    return Response(status_code=204, headers=_CHANGED)


@router.get("/profiles/{user_id}/photo", response_class=Response, responses=_WEBP)
async def get_public_photo(
    user_id: UUID,
    profiles: ProfileViewer,
    resources: ResourcesDep,
    conditions: RequestConditions,
    size: Size = PhotoSize.LARGE,
    v: Version = None,
) -> Response:
    """A user's photo, as WebP."""
    photo = await read_photo(partial(profiles.of, user_id), resources.files, size, conditions)
    return _answer(photo, {"Cache-Control": _ASKED_AGAIN if v is None else _KEPT})


def _answer(photo: Photo, more: dict[str, str]) -> Response:
    headers = {"ETag": photo.tag, **more}
    if photo.content is None:
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = "inline"
    return Response(photo.content, media_type="image/webp", headers=headers)
