"""How adapters call their providers: in turn, within their budgets, tried again where that is safe."""

from collections.abc import Callable
from typing import Any, NoReturn

import httpx2
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from grove.core.clock import now
from grove.core.errors import UpstreamError, UpstreamTimeout
from grove.web.client import CircuitOpen, HttpClient, UpstreamBusy
from grove.web.retry_after import retry_after
from grove_provider_sync.providers.interface import Description, ProviderThrottled
from grove_provider_sync.providers.turns import Turns

TRIES = 3
PAUSE_SECONDS = 60.0
"""For a provider that asks for a pause and does not say how long."""


class ProviderHttp:
    """A provider's address. `whole_pause`: whether a refusal means all calls, judged by the answer."""

    def __init__(
        self,
        provider: Description,
        client: HttpClient,
        turns: Turns,
        *,
        whole_pause: Callable[[httpx2.Response], bool],
    ) -> None:
        self._provider = provider
        self._client = client
        self._turns = turns
        self._whole_pause = whole_pause

    async def request(
        self, method: str, path: str, *, repeatable: bool | None = None, **kwargs: Any
    ) -> httpx2.Response:
        """The answer, whatever its status below 500 but 429. `repeatable`: may be tried again; by default what GETs.

        Raises ProviderThrottled, UpstreamError, UpstreamTimeout or CircuitOpen.
        """
        again = method == "GET" if repeatable is None else repeatable
        retrying = AsyncRetrying(
            stop=stop_after_attempt(TRIES if again else 1),
            wait=wait_random_exponential(multiplier=0.2, max=3),
            retry=retry_if_exception(_is_passing),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                answer = await self._once(method, path, kwargs)
        return answer

    async def _once(self, method: str, path: str, kwargs: dict[str, Any]) -> httpx2.Response:
        await self._turns.take(self._provider)
        try:
            answer = await self._client.request(method, path, retry=False, **kwargs)
        except UpstreamBusy as busy:
            await self.pause(busy.retry_after, whole=True)
        if answer.status_code == 429:
            asked, moment = answer.headers.get("retry-after"), now()
            until = retry_after(asked, moment)
            seconds = PAUSE_SECONDS if until is None else (until - moment).total_seconds()
            await self.pause(seconds, whole=self._whole_pause(answer))
        return answer

    async def pause(self, seconds: float, *, whole: bool) -> NoReturn:
        """Nobody calls until it is over, as the provider asked: by a 429, or in words that its adapter reads.

        Raises ProviderThrottled.
        """
        await self._turns.pause(self._provider, max(1.0, seconds), whole=whole)
        raise ProviderThrottled(max(1.0, seconds), whole=whole)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _is_passing(error: BaseException) -> bool:
    """Whether it may be over in a moment."""
    throttled = isinstance(error, ProviderThrottled | CircuitOpen)
    return isinstance(error, UpstreamError | UpstreamTimeout) and not throttled


def content_of(answer: httpx2.Response, provider: str) -> bytes:
    """The body of an answer of status 200. Raises UpstreamError for any other."""
    if answer.status_code != 200:
        raise UpstreamError(f"{provider} answered {answer.status_code}.")
    return answer.content
