"""What mutations take: GraphQL checks the types, and REST's models the rest."""

import dataclasses
from typing import Annotated, Any, TypeAlias, TypeVar

import strawberry
from pydantic import BaseModel, ValidationError

from grove.core.errors import Invalid
from grove.web.errors import details_of
from grove.web.etag import Conditions
from grove_resource.graphql.nodes import Kind, uuid_of

M = TypeVar("M", bound=BaseModel)

IfMatch: TypeAlias = Annotated[
    str | None, strawberry.argument(description="Change only this version: the `etag` that was read")
]


def validated(model: type[M], given: Any, ids: dict[str, Kind] | None = None) -> M:
    """The fields that were sent, as the model; `ids` says which of them are ids. Raises Invalid."""
    sent = {
        field.name: value
        for field in dataclasses.fields(given)
        if (value := getattr(given, field.name)) is not strawberry.UNSET
    }
    for name, kind in (ids or {}).items():
        if sent.get(name) is not None:
            sent[name] = uuid_of(kind, sent[name], f"body.{name}")
    try:
        return model.model_validate(sent)
    except ValidationError as invalid:
        raise Invalid(details=details_of(invalid, "body")) from None


def conditions(if_match: str | None) -> Conditions:
    """What a change demands of the present version."""
    return Conditions(if_match, None)
