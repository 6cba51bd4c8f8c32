"""Profiles as JSON."""

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from grove.core.schema import Incoming, Moment
from grove.core.text import CleanLine, CleanText
from grove_resource.images.rules import SIZES
from grove_resource.profiles.names import MAX_LENGTH, MIN_LENGTH, name_key


def _seen(name: str) -> str:
    if not name_key(name):
        raise ValueError("must have a character that can be seen")
    return name


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=MIN_LENGTH, max_length=MAX_LENGTH),
    CleanLine,
    AfterValidator(_seen),
    Field(examples=["Ada Lovelace"]),
]
Bio = Annotated[str, StringConstraints(max_length=500), CleanText, Field(examples=["Plants trees"])]
PhotoUrls = Annotated[
    dict[Literal["64", "256", "512"], str],
    Field(
        examples=[
            {str(size): f"https://api.example.com/api/v1/profiles/0198…/photo?size={size}&v=5e2f" for size in SIZES}
        ]
    ),
]


class ProfileReplace(Incoming):
    """The writable fields of a profile. Without `bio` it is empty."""

    name: Name
    bio: Bio = ""


class ProfileFields(Protocol):
    """A row of profiles, as an object or as columns of a statement."""

    @property
    def user_id(self) -> UUID: ...
    @property
    def name(self) -> str: ...
    @property
    def bio(self) -> str: ...
    @property
    def photo_key(self) -> UUID | None: ...
    @property
    def created_at(self) -> Moment: ...
    @property
    def updated_at(self) -> Moment: ...


@dataclass(slots=True, kw_only=True)
class PublicProfile:
    """What others see of a profile."""

    user_id: UUID
    name: str
    bio: str
    photo_urls: PhotoUrls | None
    created_at: Moment

    @classmethod
    def of(cls, profile: ProfileFields, api_url: str) -> "PublicProfile":
        """From a row."""
        return cls(
            user_id=profile.user_id,
            name=profile.name,
            bio=profile.bio,
            photo_urls=_photo_urls(profile, api_url),
            created_at=profile.created_at,
        )


@dataclass(slots=True, kw_only=True)
class ProfileRead:
    """A profile."""

    user_id: UUID
    name: str
    bio: str
    photo_urls: PhotoUrls | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, profile: ProfileFields, api_url: str) -> "ProfileRead":
        """From a row."""
        return cls(
            user_id=profile.user_id,
            name=profile.name,
            bio=profile.bio,
            photo_urls=_photo_urls(profile, api_url),
            created_at=profile.created_at,
            updated_at=profile.updated_at,
        )


def _photo_urls(profile: ProfileFields, api_url: str) -> PhotoUrls | None:
    if profile.photo_key is None:
        return None
    photo = f"{api_url}/api/v1/profiles/{profile.user_id}/photo"
    version = profile.photo_key.hex[-12:]
    return {
        "64": f"{photo}?size=64&v={version}",
        "256": f"{photo}?size=256&v={version}",
        "512": f"{photo}?size=512&v={version}",
    }
