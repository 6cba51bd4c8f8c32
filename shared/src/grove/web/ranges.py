"""One range of a representation's bytes (RFC 9110 section 14)."""

import re
from dataclasses import dataclass

from grove.core.errors import GroveError

_SPEC = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


class RangeNotSatisfiable(GroveError):
    """416: nothing of what is there was asked for."""

    status = 416
    code = "RANGE_NOT_SATISFIABLE"
    message = "There are no bytes in this range; Content-Range says how many there are."

    def __init__(self, size: int) -> None:
        """`size`: of the whole, in bytes."""
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `start` to before `end`, of `size`."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.end - self.start

    @property
    def content_range(self) -> str:
        """The header of a 206."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def asked_range(wanted: str | None, if_range: str | None, *, tag: str, size: int) -> ByteRange | None:
    """The one range that `Range` asks for; None for all of it. Raises RangeNotSatisfiable.

    All of it is also the answer to several ranges, to what is no range, and when `If-Range` is not the present
    strong `tag`; a date never is.
    """
    found = _SPEC.fullmatch(wanted) if wanted is not None else None
    if found is None or (if_range is not None and if_range.strip() != tag):
        return None
    first, last = (int(digits) if digits else None for digits in found.groups())
    if first is None:
        if last is None:
            return None
        start, end = max(0, size - last), size
    elif last is not None and last < first:
        return None
    else:
        start, end = first, size if last is None else min(last + 1, size)
    if start >= size:
        raise RangeNotSatisfiable(size)
    return ByteRange(start, end, size)
