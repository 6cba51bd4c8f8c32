"""Requests made from a service's own OpenAPI document, by schemathesis: what is documented, and what is wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx2
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case as AnyCase
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SECONDS = 30
"""How long one answer may take."""
Case = AnyCase[Any]
Send = Callable[[Case], Awaitable[httpx2.Response]]


async def send(client: httpx2.AsyncClient, case: Case, headers: dict[str, str]) -> httpx2.Response:
    """Send what was generated, with the caller's headers over it."""
    wanted = case.as_transport_kwargs(base_url=str(client.base_url))
    body = wanted.pop("data", None)
    if isinstance(body, dict):
        wanted["data"] = body
    elif body is not None:
        wanted["content"] = body
    wanted["files"] = [(name, _sendable(part)) for name, part in wanted.get("files") or ()]
    wanted.pop("cookies", None)
    answer = await client.request(**wanted | {"headers": {**wanted["headers"], **headers}})
    await answer.request.aread()  # a form was streamed
    answer.elapsed = timedelta()
    return answer


def _sendable(part: Any) -> Any:
    """A part of a form as the client takes it: with text where something else was generated."""
    if isinstance(part, tuple):
        return (part[0], _sendable(part[1]), *part[2:])
    return part if isinstance(part, bytes | str) else str(part)


async def attack(strategy: st.SearchStrategy[Any], examples: int, check: Callable[[Any], Awaitable[None]]) -> None:
    """Hand generated values to `check`, the same at each run. Raises what the first that fails raises, made small."""
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(value=strategy)
    def run(value: Any) -> None:
        asyncio.run_coroutine_threadsafe(_checked(check, value), loop).result(SECONDS)

    await asyncio.to_thread(run)


async def _checked(check: Callable[[Any], Awaitable[None]], value: Any) -> None:
    await check(value)


async def undocumented(app: FastAPI, examples: int, sender: Callable[[], Awaitable[Send]]) -> tuple[list[str], int]:
    """Ask every operation for good and for bad. Answers that failed or are not documented, and how many were asked.

    `sender` is called once for each operation: whoever asks may have been deleted by the one before.
    """
    load_all_checks()
    problems: list[str] = []
    asked = 0
    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        operation = found.ok()  # type: ignore[union-attr] # one that is not well-formed raises here
        ask = await sender()

        async def check(case: Case, ask: Send = ask) -> None:
            nonlocal asked
            asked += 1
            answer = await ask(case)
            await asyncio.to_thread(case.validate_response, answer, checks=CHECKS)

        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                await attack(operation.as_strategy(generation_mode=mode), examples, check)
            except Unsatisfiable:
                continue  # the route takes nothing that could be wrong
            except Exception as error:  # noqa: BLE001 - all routes are looked at before the caller fails
                problems.append(f"{operation.label} ({mode.value}): {error}")
    return problems, asked
