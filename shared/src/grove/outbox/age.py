"""How long events wait to be published."""

from math import nan
from typing import Protocol

from grove.observability.metrics import OUTBOX_AGE

ALARM_SECONDS = 30


class Aged(Protocol):
    """An outbox."""

    async def oldest_age(self) -> float:
        """Seconds since the oldest unsent event was written; 0 when there is none."""
        ...


class OutboxAge:
    """A health check, which feeds the metric too."""

    def __init__(self, outbox: Aged) -> None:
        self._outbox = outbox

    async def check(self) -> str | None:
        """Whether events wait too long. Raises what the store raises; the metric is unknown then."""
        age = nan
        try:
            age = await self._outbox.oldest_age()
        finally:
            OUTBOX_AGE.set(age)
        if age < ALARM_SECONDS:
            return None
        return f"the oldest event has waited {age:.0f} s to be published; see whether RabbitMQ is up"
