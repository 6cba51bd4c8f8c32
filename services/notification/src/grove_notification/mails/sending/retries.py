"""How long a mail waits for its next try, and how often it is tried."""

import random
from collections.abc import Sequence
from datetime import timedelta

JITTER = 0.2
"""By which part a pause is longer or shorter, so that what failed together does not come back together."""


def jittered(seconds: float) -> float:
    """A pause of about so long."""
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - timing, no secret


class Retries:
    """`pauses`: in seconds, between tries."""

    def __init__(self, pauses: Sequence[float]) -> None:
        self._pauses = pauses

    def pause_after(self, attempts: int) -> timedelta | None:
        """Before the next try of a mail that was tried so often; None when that was often enough."""
        if attempts > len(self._pauses):
            return None
        return timedelta(seconds=jittered(self._pauses[attempts - 1]))
