"""The bank as a whole: how it behaves, what it counts, what it gave out."""

import random
import time
from collections.abc import Callable

from starlette.responses import JSONResponse, Response

from grove_sandbox.banking.conduct import Conduct
from grove_sandbox.banking.counting import Counts
from grove_sandbox.banking.tokens import Tokens
from grove_sandbox.settings import SandboxSettings


class Bank:
    """It forgets everything when it ends. `tokens` are its own, `schwab` those that it gives when it plays Schwab."""

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self.tokens = Tokens()
        self.schwab = Tokens()
        self.counts = Counts()
        self.behave(Conduct())

    def behave(self, conduct: Conduct) -> None:
        """From now on."""
        self.conduct = conduct
        self.chance = random.Random(conduct.seed)  # noqa: S311 - the same weather each time

    @property
    def access_token_seconds(self) -> float:
        """How long new access tokens live."""
        return self.conduct.access_token_seconds or self._settings.access_token_seconds

    @property
    def page_size(self) -> int:
        """Bookings on a page."""
        return self.conduct.page_size or self._settings.page_size

    def admit(self, path: str, customer: str | None) -> Response | None:
        """Count a call; the refusal of one that is too many."""
        moment, counts, conduct = self._clock(), self.counts, self.conduct
        counts.calls[path] += 1
        of_all = counts.all.add(moment)
        of_customer = counts.customers[customer].add(moment) if customer is not None else 0
        if 0 < conduct.calls_per_second < of_all:
            counts.exceeded += 1
            return throttled("all")
        if 0 < conduct.customer_calls_per_second < of_customer:
            counts.exceeded += 1
            return throttled("customer")
        return None

    def trouble(self, *, token: bool, pages_on: bool) -> str | None:
        """The kind of trouble that a call meets, if any. `pages_on`: it asks for a page after the first."""
        weather, draw = self.conduct.weather, self.chance.random()
        kinds = [("token_unavailable", weather.token_unavailable)] if token else weather.of_data()
        for kind, chance in kinds:
            if draw < chance:
                if kind == "moved" and not pages_on:
                    return None
                self.counts.faults[kind] += 1
                return kind
            draw -= chance
        return None


def throttled(scope: str) -> Response:
    """429, for all calls or for those of one customer."""
    return JSONResponse({"error": "too_many_requests"}, 429, {"Retry-After": "1", "RateLimit-Scope": scope})
