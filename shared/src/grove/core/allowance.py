"""How much somebody may do: so much at once, and then as fast as it comes back."""

import time


class Allowance:
    """One client's, in one process."""

    __slots__ = ("_at_once", "_left", "_per_second", "_since")

    def __init__(self, *, at_once: int, per_second: float) -> None:
        self._at_once = at_once
        self._per_second = per_second
        self._left = float(at_once)
        self._since = time.monotonic()

    def take(self, amount: int) -> bool:
        """Whether there is so much left."""
        moment = time.monotonic()
        self._left = min(self._at_once, self._left + (moment - self._since) * self._per_second)
        self._since = moment
        self._left -= amount
        return self._left >= 0
