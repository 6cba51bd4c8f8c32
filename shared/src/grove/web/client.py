"""Calls to other systems: timeouts, retries with jitter, a circuit breaker, trace headers.

`internal_client` speaks mTLS to one service of the suite and checks that it is the one meant;
`outside_client` speaks to the world.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Collection
from typing import Any

import httpx2
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from grove.core.clock import now
from grove.core.context import current_context
from grove.core.errors import GroveError, ServiceUnavailable, UpstreamError, UpstreamTimeout
from grove.observability.metrics import UPSTREAM_SECONDS
from grove.security.mtls import TlsMaterial, identity_of, peer_identity
from grove.web.retry_after import retry_after

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
MAX_RESPONSE_BYTES = 8 * 1024 * 1024


class CircuitOpen(ServiceUnavailable):
    """Recent calls failed; none is made until the pause is over."""


class UpstreamBusy(UpstreamError):
    """The upstream answered 503 and said how long to wait: `retry_after` in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Breaker:
    """Opens after `failures` in a row, lets one call through after `pause_seconds`."""

    def __init__(
        self, *, failures: int = 5, pause_seconds: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._pause = pause_seconds
        self._clock = clock
        self._failed = 0
        self._open_until = 0.0

    def before(self) -> None:
        """Raises CircuitOpen while the pause lasts."""
        if self._failed >= self._limit:
            wait = self._open_until - self._clock()
            if wait > 0:
                raise CircuitOpen(retry_after=max(1, round(wait)))
            self._open_until = self._clock() + self._pause  # this call is the probe; others wait for it

    def succeeded(self) -> None:
        """Close the circuit."""
        self._failed = 0

    def failed(self) -> None:
        """Count a failure."""
        self._failed += 1
        if self._failed >= self._limit:
            self._open_until = self._clock() + self._pause


class _Retryable(Exception):
    def __init__(self, error: GroveError) -> None:
        self.error = error


class HttpClient:
    """A client for one upstream system."""

    def __init__(
        self,
        name: str,
        client: httpx2.AsyncClient,
        *,
        peer: str | None = None,
        tries: int = 3,
        total_seconds: float = 30.0,
        breaker: Breaker | None = None,
    ) -> None:
        self._name = name
        self._client = client
        self._peer = peer
        self._tries = tries
        self._total = total_seconds
        self._breaker = breaker or Breaker()

    async def request(
        self,
        method: str,
        url: str,
        *,
        retry: bool | None = None,
        answers: Collection[int] = (),
        **kwargs: Any,
    ) -> httpx2.Response:
        """The response, whatever its status below 500.

        `answers`: statuses from 500 that are a response too, and no failure. Idempotent methods are tried again after
        connection errors and 502–504. Raises UpstreamError, UpstreamTimeout or CircuitOpen.
        """
        headers = _trace_headers() | dict(kwargs.pop("headers", None) or {})
        repeat = method.upper() in IDEMPOTENT if retry is None else retry
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._tries if repeat else 1),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            retry=retry_if_exception_type(_Retryable),
            reraise=True,
        )
        started = time.perf_counter()
        outcome = "error"
        try:
            async for attempt in retrying:
                with attempt:
                    response = await self._once(method, url, headers, answers, kwargs)
            outcome = str(response.status_code)
            return response
        except _Retryable as failure:
            raise failure.error from None
        finally:
            UPSTREAM_SECONDS.labels(self._name, outcome).observe(time.perf_counter() - started)

    async def _once(
        self, method: str, url: str, headers: dict[str, str], answers: Collection[int], kwargs: dict[str, Any]
    ) -> httpx2.Response:
        self._breaker.before()
        try:
            async with asyncio.timeout(self._total):
                response = await self._read(method, url, headers, kwargs)
        except (httpx2.TimeoutException, TimeoutError):
            self._breaker.failed()
            raise _Retryable(UpstreamTimeout(f"{self._name} did not answer in time.")) from None
        except httpx2.HTTPError as error:
            self._breaker.failed()
            raise _Retryable(UpstreamError(f"{self._name} can't be reached ({type(error).__name__}).")) from None
        if response.status_code >= 500 and response.status_code not in answers:
            self._breaker.failed()
            raise _Retryable(self._failure(response))
        self._breaker.succeeded()
        return response

    async def _read(self, method: str, url: str, headers: dict[str, str], kwargs: dict[str, Any]) -> httpx2.Response:
        async with self._client.stream(method, url, headers=headers, **kwargs) as response:
            self._check_peer(response)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_RESPONSE_BYTES:
                    raise UpstreamError(f"{self._name} answered with more than {MAX_RESPONSE_BYTES} bytes.")
            kept = {k: v for k, v in response.headers.items() if k not in {"content-encoding", "content-length"}}
            return httpx2.Response(response.status_code, headers=kept, content=bytes(body), request=response.request)

    def _failure(self, response: httpx2.Response) -> UpstreamError:
        words, moment = f"{self._name} answered {response.status_code}.", now()
        until = retry_after(response.headers.get("retry-after"), moment) if response.status_code == 503 else None
        return (
            UpstreamError(words) if until is None else UpstreamBusy(words, max(0.0, (until - moment).total_seconds()))
        )

    def _check_peer(self, response: httpx2.Response) -> None:
        if self._peer is None:
            return
        stream = response.extensions.get("network_stream")
        tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object") if stream is not None else None
        found = peer_identity(tls)
        if found != self._peer:
            raise UpstreamError(f"{self._name} is not who it should be: {found or 'no identity'}.")

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def internal_client(service: str, base_url: str, tls: TlsMaterial) -> HttpClient:
    """A client for another service of the suite, over mTLS."""
    client = httpx2.AsyncClient(
        base_url=base_url,
        verify=tls.client_context(),
        timeout=httpx2.Timeout(2.0, connect=1.0),
        limits=httpx2.Limits(max_connections=20, keepalive_expiry=4),
        trust_env=False,
    )
    return HttpClient(
        f"the {service} service",
        client,
        peer=identity_of(service),
        tries=2,
        total_seconds=3.0,
        breaker=Breaker(pause_seconds=0.5),
    )


def outside_client(
    name: str,
    base_url: str,
    *,
    total: float = 30,
    connect: float = 10,
    read: float = 30,
    pool: float = 5,
    tries: int = 3,
) -> HttpClient:
    """A client for a system outside. Timeouts in seconds; redirects are not followed."""
    client = httpx2.AsyncClient(
        base_url=base_url,
        timeout=httpx2.Timeout(read, connect=connect, pool=pool),
        follow_redirects=False,
        trust_env=False,
    )
    return HttpClient(name, client, tries=tries, total_seconds=total)


def _trace_headers() -> dict[str, str]:
    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    context = current_context()
    if context is not None:
        headers["X-Request-ID"] = context.request_id
    return headers
