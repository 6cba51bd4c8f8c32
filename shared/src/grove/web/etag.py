"""Strong ETags and the conditions of RFC 9110 section 13."""

import hashlib
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header

from grove.core.errors import PreconditionFailed


def etag(resource_id: UUID, version: int) -> str:
    """The strong entity tag of a version of a resource."""
    return f'"{resource_id.hex[-12:]}-{version}"'


def content_etag(content: str) -> str:
    """The strong entity tag of a content that has no version of its own."""
    return f'"{hashlib.sha256(content.encode()).hexdigest()[:24]}"'


class Conditions:
    """What the request demands of the present version."""

    def __init__(self, if_match: str | None, if_none_match: str | None) -> None:
        self._match = _tags(if_match)
        self._none_match = _tags(if_none_match)

    def require(self, current: str) -> None:
        """Raises PreconditionFailed when `If-Match` names other versions (section 13.1.1)."""
        if self._match is not None and "*" not in self._match and current not in self._match:
            raise PreconditionFailed(headers={"ETag": current})

    def unchanged(self, current: str) -> bool:
        """Whether `If-None-Match` names the present version: answer 304 (section 13.1.2, weak comparison)."""
        if self._none_match is None:
            return False
        return "*" in self._none_match or current in {tag.removeprefix("W/") for tag in self._none_match}


def _tags(header: str | None) -> set[str] | None:
    return None if header is None else {tag.strip() for tag in header.split(",")}


async def _conditions(
    if_match: Annotated[str | None, Header(description="Change only this version (its ETag)")] = None,
    if_none_match: Annotated[str | None, Header(description="Answer 304 for this version (its ETag)")] = None,
) -> Conditions:
    return Conditions(if_match, if_none_match)


RequestConditions = Annotated[Conditions, Depends(_conditions)]
