"""Growing pauses between tries."""

import random


def full_jitter(attempt: int, *, base: float, cap: float) -> float:
    """Seconds to wait after try number `attempt` (from 1): random up to min(cap, base × 2^(attempt-1))."""
    return random.uniform(0, min(cap, base * 2 ** min(attempt - 1, 64)))  # noqa: S311 - timing, not a secret
