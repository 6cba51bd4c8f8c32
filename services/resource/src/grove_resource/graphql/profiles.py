"""The user's own profile in GraphQL."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import strawberry
from pydantic import TypeAdapter

from grove.core.errors import NotFound
from grove.service.sessions import after_commit
from grove.web.etag import etag
from grove_resource.deps import PROFILE_LIMIT
from grove_resource.graphql.context import Context, Info
from grove_resource.graphql.fields import field
from grove_resource.graphql.inputs import IfMatch, conditions, validated
from grove_resource.graphql.nodes import Kind, Node, global_id
from grove_resource.profiles.reading import Viewer
from grove_resource.profiles.repository import ProfileQueries, ProfileRepository
from grove_resource.profiles.schemas import ProfileRead, ProfileReplace
from grove_resource.profiles.service import ProfileService

_PROFILE = TypeAdapter(ProfileRead)


@strawberry.type(description="A square thumbnail of a photo.")
class PhotoUrl:
    """Where a photo is."""

    size: int = strawberry.field(description="Its width and height in pixels.")
    url: str


@strawberry.type(name="Profile", description="What you show of yourself.")
class ProfileNode(Node):
    """A profile."""

    user_id: UUID
    name: str
    bio: str
    photo_urls: list[PhotoUrl] | None
    created_at: datetime
    updated_at: datetime
    etag: str = strawberry.field(description="The version: send it as `ifMatch`.")

    @classmethod
    def of(cls, read: ProfileRead, tag: str) -> "ProfileNode":
        """As REST shows it."""
        urls = read.photo_urls
        return cls(
            id=global_id(Kind.PROFILE, read.user_id),
            user_id=read.user_id,
            name=read.name,
            bio=read.bio,
            photo_urls=None if urls is None else [PhotoUrl(size=int(size), url=url) for size, url in urls.items()],
            created_at=read.created_at,
            updated_at=read.updated_at,
            etag=tag,
        )


async def own_profile(context: Context) -> ProfileNode:
    """The acting user's profile, read once. Raises ProfileNotFound for an erased user."""
    return await context.loader("profile", partial(_own, context)).load(context.user_id)


async def _own(context: Context, ids: list[UUID]) -> Sequence[ProfileNode]:
    """The loader's only row: a new user's look makes the profile, in a transaction of its own."""
    resources = context.resources
    viewer = Viewer(ProfileQueries(context.reads), resources.sessions, context.user_id)
    tag, body = await viewer.own_json(resources.profile_cache, resources.settings.public_api_url)
    return [ProfileNode.of(_PROFILE.validate_json(body), tag) for _ in ids]


async def profile_by_id(context: Context, user_id: UUID) -> ProfileNode:
    """The user's own profile by its id. Raises NotFound for that of somebody else."""
    if user_id != context.user_id:
        raise NotFound
    return await own_profile(context)


@strawberry.type
class ProfileQuery:
    """The queries about profiles."""

    @field("Your profile.", needs="profile:read")
    async def profile(self, info: Info) -> ProfileNode | None:
        """As GET /profile."""
        return await own_profile(info.context)


@strawberry.input(description="The writable fields of a profile.")
class UpdateProfileInput:
    """As the body of PUT /profile."""

    name: str
    bio: str | None = strawberry.UNSET


@strawberry.type(description="A profile that was changed.")
class ProfilePayload:
    """What a change of a profile answers."""

    profile: ProfileNode


@strawberry.type
class ProfileMutation:
    """The changes of profiles."""

    @field("Replace name and bio; without `bio` it is empty.", needs="profile:write")
    async def update_profile(
        self,
        info: Info,
        input: UpdateProfileInput,  # noqa: A002 - Relay's name
        if_match: IfMatch = None,
    ) -> ProfilePayload | None:
        """As PUT /profile, within its limit."""
        context, data = info.context, validated(ProfileReplace, input)
        await context.authenticator.limiter.enforce(PROFILE_LIMIT, str(context.user_id))
        after_commit(context.session, partial(context.resources.profile_cache.forget, context.user_id))
        async with context.changing() as session:
            profiles = ProfileService(ProfileRepository(session, context.user_id), context.outbox)
            profile = await profiles.replace(data, conditions(if_match))
        read = ProfileRead.of(profile, context.resources.settings.public_api_url)
        return ProfilePayload(profile=ProfileNode.of(read, etag(profile.user_id, profile.version)))
