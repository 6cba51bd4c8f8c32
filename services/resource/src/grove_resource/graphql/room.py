"""How much one operation reads and answers: its cost counts fields and rows, and a value may have 64 KiB."""

import json
from functools import cached_property
from typing import Any

from grove_resource.graphql.errors import AnswerTooLarge

MAX_BYTES = 8 * 1024 * 1024


class Sized:
    """A JSON object, and how large it is as text; measured once, when it is first answered."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value

    @cached_property
    def size(self) -> int:
        """In bytes."""
        return len(json.dumps(self.value, ensure_ascii=False, separators=(",", ":")).encode())


class Room:
    """What is left of MAX_BYTES for a request."""

    def __init__(self) -> None:
        self._left = MAX_BYTES

    def take(self, size: int) -> None:
        """Count rows that were read, before anything is made of them. Raises AnswerTooLarge, then and ever after."""
        self._left -= size
        if self._left < 0:
            raise AnswerTooLarge

    def answered(self, given: Sized) -> Any:
        """The value, each time that it is answered. Raises AnswerTooLarge."""
        self.take(given.size)
        return given.value
