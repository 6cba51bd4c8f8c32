"""What clients are sent, and the ids by which they say how far they are."""

import re
import secrets
from dataclasses import dataclass

_ID = re.compile(r"([A-Za-z0-9_-]{12})\.(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A frame of a user's stream. `data` is JSON already: it is made once, however many connections there are."""

    position: int
    type: str
    data: str


@dataclass(frozen=True, slots=True)
class Message:
    """A frame as one client gets it."""

    id: str
    type: str
    data: str

    @property
    def json(self) -> str:
        """The whole of it."""
        return f'{{"id": "{self.id}", "type": "{self.type}", "data": {self.data}}}'

    @property
    def event(self) -> str:
        """The same as an event of a `text/event-stream`."""
        return f"id: {self.id}\nevent: {self.type}\ndata: {self.data}\n\n"


@dataclass(frozen=True, slots=True)
class FrameId:
    """`<stream>.<position>`: the name of one connection's stream, and the position up to which everything was sent.

    So each frame can be resumed from, pings and counts too. Who resumes gets a new name: two tabs that go on from one
    id share nothing any more.
    """

    stream: str
    position: int

    def __str__(self) -> str:
        return f"{self.stream}.{self.position}"

    @classmethod
    def parse(cls, text: str) -> "FrameId | None":
        """None for what is none."""
        found = _ID.fullmatch(text)
        return cls(found[1], int(found[2])) if found else None


def new_stream() -> str:
    """A name for a connection's stream: at random, so that no two have the same."""
    return secrets.token_urlsafe(9)
