"""The rules of tags."""

from collections.abc import Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.postgres import Outbox
from grove.web.etag import Conditions, etag
from grove_resource.models import Tag
from grove_resource.tags import events
from grove_resource.tags.errors import TagExists, TooManyTags
from grove_resource.tags.repository import TagRepository
from grove_resource.tags.schemas import TagCreate, TagPatch, TagReplace

MOST = 500
"""Tags that a user can make by themselves; those that come with tasks are not counted out."""
EVENTS_AT_ONCE = 50
"""Making more in one go would hold up other requests."""


class TagService:
    """Changes tags for the acting user, and the tasks that have them. Never commits."""

    def __init__(self, tags: TagRepository, outbox: Outbox) -> None:
        self._tags = tags
        self._outbox = outbox

    async def create(self, data: TagCreate) -> Tag:
        """A new tag. Raises TagExists, TooManyTags."""
        moment = now()
        tag = Tag(
            id=new_id(),
            user_id=self._tags.user_id,
            name=data.name,
            color=data.color,
            version=1,
            created_at=moment,
            updated_at=moment,
        )
        if not await self._tags.add(tag, most=MOST):
            raise TagExists if await self._tags.has(data.name) else TooManyTags(MOST)
        return tag

    async def change(self, tag_id: UUID, data: TagReplace | TagPatch, conditions: Conditions) -> Tag:
        """Set the fields that were sent; a new name is set in the user's tasks too. Raises TagExists."""
        renaming = "name" in data.model_fields_set
        tag = await (self._tags.locked_with_tasks(tag_id) if renaming else self._tags.locked(tag_id))
        conditions.require(etag(tag.id, tag.version))
        former = tag.name
        changed = {name for name in data.model_fields_set if getattr(tag, name) != getattr(data, name)}
        if changed:
            for name in changed:
                setattr(tag, name, getattr(data, name))
            tag.version += 1
            tag.updated_at = now()
            await self._tell(await self._tags.save(tag, former))
        return tag

    async def delete(self, tag_id: UUID, conditions: Conditions) -> None:
        """Delete the tag, and take it out of the user's tasks."""
        tag = await self._tags.locked_with_tasks(tag_id)
        conditions.require(etag(tag.id, tag.version))
        tag.updated_at = now()
        await self._tell(await self._tags.delete(tag))

    async def _tell(self, tasks: Sequence[Any]) -> None:
        rows = iter(tasks)
        while some := list(islice(rows, EVENTS_AT_ONCE)):
            await self._outbox.add(*map(events.retagged, some))
