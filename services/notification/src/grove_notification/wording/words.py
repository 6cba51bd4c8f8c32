"""What a notification says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from grove.contracts.event import EventData
from grove_notification.texts import Texts


@dataclass(frozen=True, slots=True)
class Wording:
    """A notification's type and text. `link` leads to its subject in the API."""

    type: str
    title: str
    message: str
    link: str | None = None
    task_id: UUID | None = None


Words = dict[type[EventData], Callable[[Any, Texts], Wording | None]]
"""For each kind of fact, how to tell it; None when it is not worth telling."""
