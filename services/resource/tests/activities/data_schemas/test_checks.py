"""Hostile schemas and data: an answer in bounded time, and a process that lives on."""

import asyncio
import json
import random
import resource
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

import pytest

from grove.core.errors import ServiceUnavailable
from grove_resource.activities.data_schemas import checks as module
from grove_resource.activities.data_schemas import process, turns
from grove_resource.activities.data_schemas.checks import DataChecks, TooCostlyToCheck, prepared
from grove_resource.activities.data_schemas.measure import Refused, measure

SECONDS = 1.5  # of processor time: half a second for a request, and the start of one process or two
VERSION = (UUID(int=1), 1)


def used() -> float:
    """Processor seconds so far, of this process and of those that it ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


@pytest.fixture
async def checks() -> AsyncIterator[DataChecks]:
    checks = DataChecks()
    await checks.check_schema({"type": "object"})  # the process runs
    yield checks
    await checks.aclose()


def holding(**properties) -> dict:
    return {"type": "object", "properties": properties}


random.seed(7)
LETTERS = "".join(random.choice("ab") for _ in range(60_000))  # noqa: S311 - no secret
HEAVY = {
    "objects that must differ": (holding(a={"uniqueItems": True}), {"a": [{"i": i} for i in range(2400)]}, True),
    "floats that must differ": (holding(a={"uniqueItems": True}), {"a": [i + 0.5 for i in range(4900)]}, True),
    "tiny multiples": (holding(a={"items": {"multipleOf": 1e-308}}), {"a": [1.7e308 - i for i in range(2000)]}, True),
    "a long enum": (
        holding(a={"items": {"enum": list(range(10**6, 10**6 + 7000))}}),
        {"a": list(range(4900))},
        False,
    ),
    "an enum of objects": (
        holding(a={"items": {"enum": [{"a": i} for i in range(3000)]}}),
        {"a": [{"a": -1} for _ in range(2400)]},
        False,
    ),
    "450 branches": (
        holding(a={"anyOf": [{"items": {"minLength": i, "type": "string"}} for i in range(450)]}),
        {"a": list(range(4000))},
        False,
    ),
    "many required names": (
        holding(a={"items": {"required": [f"k{i}" for i in range(5000)]}}),
        {"a": [{} for _ in range(4900)]},
        False,
    ),
    "a hungry pattern": (holding(a={"pattern": "^[ab]*a[ab]{20}c$"}), {"a": LETTERS}, False),
    "a catastrophe elsewhere": (holding(a={"pattern": "^(a+)+$"}), {"a": "a" * 60_000 + "!"}, False),
    "a length without end": (holding(a={"minLength": 1e300}), {"a": "x" * 60_000}, False),
    "regexes as data": (
        holding(a={"items": {"format": "regex"}}),
        {"a": [rf"\p{{L}}{{{i}}}" for i in range(900)]},
        True,
    ),
    "addresses": (holding(a={"items": {"format": "email"}}), {"a": ["a." * 20_000 + "@x.y"]}, False),
    "odd names": (
        {"type": "object", "propertyNames": {"maxLength": 3}},
        {"__proto__": 1, "ключ": 2, "😀" * 1000: 3, "constructor": 4},
        False,
    ),
}


@pytest.mark.parametrize(("schema", "data", "fits"), HEAVY.values(), ids=HEAVY)
async def test_heavy_checks_end_in_time_with_the_right_answer(checks, schema, data, fits):
    before = used()
    await checks.check_schema(schema)
    ready = checks.remember(VERSION, schema)
    found = await checks.violations(ready, data)
    assert (found == []) == fits
    assert len(found) <= 20
    assert all(len(one.message) <= 200 and len(one.pointer) <= 1000 for one in found)
    await checks.aclose()
    assert used() - before < SECONDS


async def test_what_takes_too_long_is_given_up_and_the_next_goes_on(checks):
    patterns = [f"[ab]*a[ab]{{{150 + i}}}c" for i in range(40)]
    schema = holding(a={"anyOf": [{"pattern": pattern} for pattern in patterns]})
    await checks.check_schema(schema)
    before = used()
    with pytest.raises(TooCostlyToCheck):
        await checks.violations(checks.remember(VERSION, schema), {"a": LETTERS})
    assert used() - before < SECONDS
    many_letters = holding(**{f"p{i}": {"pattern": rf"\p{{L}}{{20}}{i}"} for i in range(50)})
    before = used()
    with suppress(TooCostlyToCheck):  # it takes just about as long as anything may
        await checks.check_schema(many_letters)
    assert used() - before < SECONDS
    await checks.check_schema(schema)


async def test_the_loop_is_free_while_a_heavy_check_runs(checks):
    schema, data, _ = HEAVY["450 branches"]
    ready = checks.remember(VERSION, schema)
    working = asyncio.create_task(checks.violations(ready, data))
    late = 0.0
    while not working.done():
        started = time.perf_counter()
        await asyncio.sleep(0.001)
        late = max(late, time.perf_counter() - started)
    assert late < 0.2
    [violation] = await working
    assert (violation.pointer, violation.keyword) == ("", "schema")


async def test_small_checks_are_done_at_once_in_microseconds(checks, monkeypatch):
    async def nobody(*_args, **_kwargs):
        raise AssertionError("the process was asked")

    schema = holding(mood={"type": "integer", "minimum": 1}, note={"type": "string", "pattern": "^[a-z ]{0,40}$"})
    ready = checks.remember(VERSION, schema)
    monkeypatch.setattr(checks._process, "ask", nobody)
    started = time.process_time()
    for _ in range(1000):
        assert await checks.violations(ready, {"mood": 5, "note": "a good day"}) == []
    assert (time.process_time() - started) / 1000 < 0.001
    [violation] = await checks.violations(ready, {"mood": 0})
    assert (violation.pointer, violation.keyword) == ("/mood", "minimum")


@pytest.mark.parametrize("patterns", [["[ab]*a[ab]{200}c"], [rf"\p{{L}}{{5}}{i}" for i in range(5)]])
def test_whatever_is_done_at_once_takes_5_milliseconds_at_most(patterns):
    schema = holding(a={"anyOf": [{"pattern": pattern} for pattern in patterns]})
    took = []
    for _ in range(5):
        started = time.process_time()
        ready = prepared(schema)
        took.append(time.process_time() - started)
    assert min(took) < 0.02
    for length in (100, 500, 990):
        data = {"a": LETTERS[:length]}
        validator = ready.at_once(measure(data, max_values=5000, max_depth=16))
        if validator is not None:
            started = time.process_time()
            validator.is_valid(data)
            assert time.process_time() - started < 0.02


async def test_data_has_limits(checks):
    ready = checks.remember(VERSION, {"type": "object"})
    deep: list = []
    for _ in range(16):
        deep = [deep]
    for data in ({"a": deep}, {"a": [1] * 5000}, {"a": "x" * 65_536}, {"a": float("nan")}, {"a": 1 << 1024}):
        with pytest.raises(Refused):
            await checks.violations(ready, data)


async def test_violations_are_20_at_most_with_short_messages(checks):
    schema = {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1}
    ready = checks.remember(VERSION, schema)
    found = await checks.violations(ready, {f"name{i}": i for i in range(100)})
    assert len(found) == 20
    strict = checks.remember(VERSION, {"type": "object", "properties": {"a": {}}, "additionalProperties": False})
    [violation] = await checks.violations(strict, {"n" * 5000: 1})
    assert len(violation.message) == 200


async def test_a_process_that_is_killed_is_replaced(checks):
    await checks.check_schema({"type": "object"})
    assert checks._process._process is not None
    checks._process._process.kill()
    with pytest.raises(TooCostlyToCheck):
        await checks.check_schema({"type": "object"})
    await checks.check_schema({"type": "object"})


async def test_one_who_gives_up_waiting_leaves_no_answer_for_the_next(checks):
    asked = checks._process._process
    asked.send_signal(signal.SIGSTOP)  # the question is put, and the answer can't be there yet
    asking = asyncio.create_task(checks.failing(json.dumps(HEAVY["450 branches"][0]), ['{"a":[1]}'] * 50, explain=5))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with suppress(ProcessLookupError):
        asked.send_signal(signal.SIGCONT)
    with pytest.raises(Refused, match="object schema"):
        await checks.check_schema({"type": "array"})


async def test_too_many_waiting_are_turned_away(checks, monkeypatch):
    monkeypatch.setattr(turns, "MAX_WAITING", 3)
    asked = [checks.check_schema({"type": "object"}) for _ in range(5)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(ServiceUnavailable) == 2


async def test_a_process_that_does_not_answer_is_replaced(checks, monkeypatch):
    monkeypatch.setattr(process, "ANSWER_SECONDS", 0.0)
    with pytest.raises(ServiceUnavailable):
        await checks.check_schema({"type": "object"})
    monkeypatch.undo()
    await checks.check_schema({"type": "object"})


async def test_so_many_schemas_are_kept(checks, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 3)
    for version in range(5):
        checks.remember((UUID(int=1), version), {"type": "object"})
        checks.known((UUID(int=1), 0))
    assert [checks.known((UUID(int=1), version)) is not None for version in range(5)] == [
        True,
        False,
        False,
        True,
        True,
    ]
