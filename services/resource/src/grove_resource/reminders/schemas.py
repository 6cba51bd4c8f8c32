"""Reminders as JSON."""

from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from grove.core.schema import Incoming, Moment


class ReminderCreate(Incoming):
    """A new reminder: at a time, or some minutes before the task is due."""

    at: Annotated[Moment | None, Field(description="When; in the future", examples=["2030-01-01T09:00:00Z"])] = None
    minutes_before_due: Annotated[
        int | None, Field(ge=0, le=525_600, description="Minutes before the due date", examples=[None])
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.at is None) == (self.minutes_before_due is None):
            raise ValueError("needs either `at` or `minutes_before_due`")
        return self


@dataclass(slots=True, kw_only=True)
class ReminderRead:
    """A reminder of yours. `fires_at` is null while the task has no due date to count from; `fired_at` is when its
    time was up, which you were told of unless it was over when it was set.
    """

    id: UUID
    task_id: UUID
    at: Moment | None
    minutes_before_due: int | None
    fires_at: Moment | None
    fired_at: Moment | None
    created_at: Moment
