"""Cursors: opaque to clients, they name the customer and how far the changes were read."""

import base64
import json


class CursorUnknown(Exception):
    """No cursor that this bank gave for this customer, or one of before it was started anew."""


def written(customer: str, position: int, *, pages_on: bool) -> str:
    """A cursor. `pages_on`: there is more to read at once."""
    content = json.dumps([customer, position, pages_on])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def position(cursor: str | None, customer: str, most: int) -> int:
    """How far was read; `most`: how far one can have read. Raises CursorUnknown."""
    if not cursor:
        return 0
    found = _read(cursor)
    if found is None or found[0] != customer or not 0 <= found[1] <= most:
        raise CursorUnknown
    return found[1]


def pages_on(cursor: str | None) -> bool:
    """Whether it leads to a page after the first."""
    found = _read(cursor) if cursor else None
    return found is not None and found[2]


def _read(cursor: str) -> tuple[str, int, bool] | None:
    try:
        customer, read, more = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError):
        return None
    known = isinstance(customer, str) and type(read) is int and isinstance(more, bool)
    return (customer, read, more) if known else None
