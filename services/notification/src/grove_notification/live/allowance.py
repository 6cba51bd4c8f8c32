"""How much a client may send: so much at once, and then as fast as it comes back."""

import time

PER_SECOND = 20
AT_ONCE = 500
"""A client that acknowledges each frame of a burst is not cut at once."""
TOKEN_COSTS = 10
"""A renewed token is verified, which takes a multiple of what anything else does."""


class Allowance:
    """One connection's."""

    __slots__ = ("_left", "_since")

    def __init__(self) -> None:
        self._left = float(AT_ONCE)
        self._since = time.monotonic()

    def take(self, amount: int) -> bool:
        """Whether there is so much left."""
        moment = time.monotonic()
        self._left = min(AT_ONCE, self._left + (moment - self._since) * PER_SECOND)
        self._since = moment
        self._left -= amount
        return self._left >= 0
