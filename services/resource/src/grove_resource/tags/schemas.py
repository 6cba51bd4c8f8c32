"""Tags as JSON."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from grove.core.schema import Incoming, Moment
from grove_resource.models import Tag
from grove_resource.tasks.schemas import Tag as TagName

Name = Annotated[TagName, Field(examples=["home"])]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$", to_lower=True), Field(examples=["#2e7d32"])]


class TagCreate(Incoming):
    """A new tag."""

    name: Name
    color: Color | None = None


class TagReplace(Incoming):
    """All writable fields of a tag."""

    name: Name
    color: Color | None


class TagPatch(Incoming):
    """The fields to change."""

    name: Name = ""
    color: Color | None = None


@dataclass(slots=True, kw_only=True)
class TagRead:
    """A tag."""

    id: UUID
    name: str
    color: str | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, tag: Tag) -> "TagRead":
        """From a row that was changed."""
        return cls(id=tag.id, name=tag.name, color=tag.color, created_at=tag.created_at, updated_at=tag.updated_at)
