"""What search is asked, and what it finds, as JSON."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from grove.core.schema import Moment


class HitType(StrEnum):
    """What was found."""

    TASK = "task"
    MOMENT = "moment"


class SearchQuery(BaseModel):
    """What can be searched for."""

    q: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
        Field(description='Words; `"several words"` in a row, `or`, `-without`', examples=["garden -fence"]),
    ]
    type: Annotated[HitType | None, Field(description="Only these")] = None
    size: Annotated[int, Field(ge=1, le=100, description="Items on a page")] = 20
    cursor: Annotated[
        str | None, Field(max_length=1000, description="The `next_cursor` of the last answer; empty for the first page")
    ] = None


@dataclass(slots=True, kw_only=True)
class Hit:
    """A task, or a moment under the name of its activity. `at`: when the task changed, or the moment occurred."""

    type: HitType
    id: UUID
    title: Annotated[str, Field(examples=["Buy oat milk"])]
    snippet: Annotated[
        str,
        Field(description="Plain text around the words, which are between « and »", examples=["a new «garden» fence"]),
    ]
    rank: Annotated[int, Field(description="How well it matches: higher is better", examples=[607927])]
    at: Moment
