"""How long clients get to read why they are let go, and how those are cut who don't."""

from collections.abc import Callable
from typing import Any

CLOSE_SECONDS = 2.0
ABORT_SECONDS = 12.0
"""After the close: longer than the server waits for the client's answer to it."""


def abort_of(scope: Any) -> Callable[[], None]:
    """Cuts the connection without waiting for what is not read; does nothing where the listener gives no way."""
    abort: Callable[[], None] = scope.get("state", {}).get("abort", _nothing)
    return abort


def _nothing() -> None:
    """No way to cut."""
