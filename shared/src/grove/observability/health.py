"""Liveness, readiness and metrics on the ops listener: plain HTTP, private, nothing else on it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[str | None]]
"""Returns a sentence about what is wrong, or None."""

CHECK_SECONDS = 2.0


@dataclass(slots=True)
class Health:
    """The checks of one process. Without a required part it can't serve; without another it serves less well."""

    required: dict[str, Check] = field(default_factory=dict)
    degrading: dict[str, Check] = field(default_factory=dict)

    async def report(self) -> tuple[bool, dict[str, str], dict[str, str]]:
        """(ready, what is failing, what is degraded): names with their sentences."""
        failing, degraded = await asyncio.gather(_problems(self.required), _problems(self.degrading))
        return not failing, failing, degraded


async def _problems(checks: dict[str, Check]) -> dict[str, str]:
    async def run(check: Check) -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await check()
        except TimeoutError:
            return f"no answer within {CHECK_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001 - a failing check is an answer
            return f"{type(error).__name__}: {error}"[:300]

    answers = await asyncio.gather(*(run(check) for check in checks.values()))
    return {name: answer for name, answer in zip(checks, answers, strict=True) if answer}


def while_true(condition: Callable[[], bool], otherwise: str) -> Check:
    """A check that is content while `condition()` holds."""

    async def check() -> str | None:
        return None if condition() else otherwise

    return check


def health_routes(health: Health) -> list[Route]:
    """`/health/live` and `/health/ready`."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        is_ready, failing, degraded = await health.report()
        status = "failing" if not is_ready else "degraded" if degraded else "ok"
        return JSONResponse(
            {"status": status, "failing": failing, "degraded": degraded},
            status_code=200 if is_ready else 503,
            headers={"Cache-Control": "no-store"} | ({} if is_ready else {"Retry-After": "1"}),
        )

    return [Route("/health/live", live), Route("/health/ready", ready)]


def ops_app(health: Health) -> Starlette:
    """The app of the ops listener."""

    async def metrics(_: Request) -> Response:
        await health.report()  # checks feed gauges: what is read here is true though nobody asks for readiness
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[*health_routes(health), Route("/metrics", metrics)])
