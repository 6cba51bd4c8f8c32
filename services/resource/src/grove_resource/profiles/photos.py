"""The photo of a profile. Files first, then the row that names them; the row no more, then files go.

Whatever dies in between leaves files that no row names, which the sweep of files finds, and never a row without files.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog

from grove.core.ids import new_id
from grove.web.etag import Conditions, etag
from grove.web.uploads import Upload
from grove_resource.files.store import FileStore, FileStoreAway
from grove_resource.images.renderer import Renderer
from grove_resource.images.rules import SIZES
from grove_resource.models import Profile
from grove_resource.profiles.errors import PhotoNotFound
from grove_resource.profiles.schemas import ProfileFields
from grove_resource.profiles.service import ProfileService

log = structlog.get_logger()

STORE_SECONDS = 6
REMOVAL_SECONDS = 2
"""With the renderer's they are less than the 30 s after which the edge gives up, so that a 5xx means: not changed."""

Later = Callable[[Callable[[], Awaitable[None]]], None]
"""Takes what to do once the transaction is safe."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A thumbnail and its entity tag. Without `content` the client has it."""

    tag: str
    content: bytes | None


class PhotoService:
    """Changes the photo of the user's own profile. Never commits."""

    def __init__(self, profiles: ProfileService, files: FileStore, renderer: Renderer, later: Later) -> None:
        self._profiles = profiles
        self._files = files
        self._renderer = renderer
        self._later = later

    async def replace(self, upload: Upload, conditions: Conditions) -> Profile:
        """Show what was uploaded. Raises UnsupportedMedia, NoPicture, FileStoreAway."""
        thumbnails = await self._renderer.thumbnails(upload)
        key = new_id()
        try:
            await self._store(key, thumbnails)
            profile, before = await self._profiles.set_photo(key, conditions)
        except BaseException:
            await remove(self._files, key)
            raise
        if before is not None:
            self._later(partial(remove, self._files, before))
        return profile

    async def delete(self, conditions: Conditions) -> None:
        """Show none. Without one nothing changes."""
        _, before = await self._profiles.set_photo(None, conditions)
        if before is not None:
            self._later(partial(remove, self._files, before))

    async def _store(self, key: UUID, thumbnails: Mapping[int, bytes]) -> None:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                for size, content in thumbnails.items():
                    await self._files.put(path(key, size), _whole(content))
        except TimeoutError:
            raise FileStoreAway from None


async def read_photo(
    find: Callable[[], Awaitable[ProfileFields]], files: FileStore, size: int, conditions: Conditions
) -> Photo:
    """The photo of the profile that `find` finds. Raises PhotoNotFound, FileStoreAway."""
    for _ in range(2):  # a photo that is replaced between the two reads: the new one
        profile = await find()
        if profile.photo_key is None:
            raise PhotoNotFound
        tag = etag(profile.photo_key, size)
        if conditions.unchanged(tag):
            return Photo(tag, None)
        with suppress(FileNotFoundError):
            return Photo(tag, await files.read(path(profile.photo_key, size)))
    log.error("photo.file_missing", photo_key=str(profile.photo_key))
    raise PhotoNotFound


async def remove(files: FileStore, key: UUID) -> None:
    """Delete a photo's files, as far as the store answers; what stays the sweep finds."""
    try:
        async with asyncio.timeout(REMOVAL_SECONDS):
            await files.delete([path(key, size) for size in SIZES])
    except (FileStoreAway, TimeoutError):
        log.warning("photo.files_left", photo_key=str(key))


def path(key: UUID, size: int) -> str:
    """Where a thumbnail is kept."""
    return f"photos/{key}/{size}.webp"


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
