"""How many notices go out: to one recipient, and altogether. No other mails are counted."""

from datetime import timedelta

from grove.web.rate_limit import Limit, RateLimiter

_ALL = "all"


class NoticeLimits:
    """Buckets that all workers share; without Valkey each has its own. A limit of 0 is none."""

    def __init__(self, limiter: RateLimiter, *, per_second: int, recipient_per_hour: int) -> None:
        self._limiter = limiter
        self._per_second = Limit("mail-notices", per_second, 1)
        self._per_recipient = Limit("mail-recipient", recipient_per_hour, 3600)

    @property
    def recipient_pace(self) -> timedelta:
        """How far apart notices to one recipient are that has had enough."""
        return timedelta(seconds=self._per_recipient.seconds / max(1, self._per_recipient.amount))

    async def seconds_for_all(self) -> float:
        """0, and one is counted; or the seconds until another notice may go, whoever gets it."""
        return await self._seconds(self._per_second, _ALL)

    async def seconds_for(self, mac: bytes) -> float:
        """The same for one recipient; a notice that waits for them was none of all."""
        seconds = await self._seconds(self._per_recipient, mac.hex())
        if seconds and self._per_second.amount:
            await self._limiter.give_back(self._per_second, _ALL)
        return seconds

    async def _seconds(self, limit: Limit, key: str) -> float:
        if not limit.amount:
            return 0.0
        decision = await self._limiter.take(limit, key)
        return 0.0 if decision.allowed else max(decision.reset, 0.001)
