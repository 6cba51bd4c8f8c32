"""API keys as JSON."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from grove.core.clock import now
from grove.core.schema import Incoming, Moment, Outgoing
from grove.core.text import CleanLine


def _ahead(moment: Moment) -> Moment:
    if moment <= now():
        raise ValueError("must be in the future")
    return moment


class ApiKeyCreate(Incoming):
    """A new key. Without `expires_at` it works until it is deleted."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), CleanLine]
    scopes: Annotated[
        list[Annotated[str, Field(max_length=60)]],
        Field(min_length=1, max_length=40, examples=[["tasks:read", "tasks:write"]]),
    ]
    expires_at: Annotated[Moment, AfterValidator(_ahead)] | None = None


class ApiKeyRotate(Incoming):
    """For how many hours the secret before still works."""

    overlap_hours: Annotated[int, Field(ge=0, le=24)] = 0


class ApiKeyRead(Outgoing):
    """A key, without its secret. `hint`: its first characters."""

    id: UUID
    name: str
    hint: str
    scopes: list[str]
    created_at: Moment
    rotated_at: Moment | None
    old_until: Moment | None = Field(description="Until then the secret before the last rotation works")
    last_used_at: Moment | None = Field(description="Within some minutes")
    expires_at: Moment | None


class ApiKeyMade(ApiKeyRead):
    """A key with its secret, which is shown only here."""

    secret: str


class ApiKeyList(Outgoing):
    """All living keys of a user."""

    items: list[ApiKeyRead]
