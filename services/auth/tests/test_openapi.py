"""The OpenAPI document is true: no route fails, or answers what it does not document, whatever is sent."""

import asyncio
from datetime import timedelta

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

pytestmark = pytest.mark.integration
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 12


async def administrator(person_of, resources):
    """Somebody who may do everything, signed in a moment ago."""
    person = person_of()
    assert (await person.register()).status_code == 202
    assert (await person.verify()).status_code == 204
    await resources.database["users"].update_one({"email": person.email}, {"$set": {"roles": ["user", "admin"]}})
    assert (await person.login()).status_code == 200
    return person


async def send(person, case):
    """What was generated, as the person."""
    wanted = case.as_transport_kwargs(base_url="https://auth.test")
    body = wanted.pop("data", None)
    if isinstance(body, dict):
        wanted["data"] = body
    elif body is not None:
        wanted["content"] = body
    wanted.pop("cookies", None)
    answer = await person.client.request(**wanted | {"headers": {**wanted["headers"], **person.headers}})
    answer.elapsed = timedelta()
    return answer


def attack(operation, mode, answered) -> None:
    """Ask in many ways. Raises for the first answer that should not be."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case) -> None:
        case.validate_response(answered(case), checks=CHECKS)

    run()


async def test_every_route_answers_as_documented(app, person_of, resources):
    load_all_checks()
    loop = asyncio.get_running_loop()
    problems: list[str] = []
    asked = 0
    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        operation = found.ok()
        person = await administrator(person_of, resources)

        def answered(case, person=person):
            nonlocal asked
            asked += 1
            return asyncio.run_coroutine_threadsafe(send(person, case), loop).result(30)

        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                await asyncio.to_thread(attack, operation, mode, answered)
            except Unsatisfiable:
                continue  # the route takes nothing that could be wrong
            except Exception as error:  # noqa: BLE001 - all routes are looked at before the test fails
                problems.append(f"{operation.label} ({mode.value}): {error}")
    assert problems == []
    assert asked > 200
