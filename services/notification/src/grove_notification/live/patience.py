"""Doing without Valkey while it does not answer."""

import time

PAUSE_SECONDS = 1.0
"""A Valkey that hangs is left alone this long, so that what comes behind need not wait for it as well."""


class Patience:
    """Whether to ask Valkey now."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def resting(self) -> bool:
        """It failed a moment ago: leave it alone."""
        return time.monotonic() < self._until

    def failed(self) -> None:
        """Leave it alone for a while."""
        self._until = time.monotonic() + PAUSE_SECONDS
