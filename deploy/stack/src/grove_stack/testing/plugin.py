"""The pytest plugin that gives tests real servers; servers.py says where they come from."""

import hashlib
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
import structlog
from hypothesis import HealthCheck, settings

from grove.core.settings import ProcessSettings
from grove.web import rate_limit
from grove_stack.layout import Layout
from grove_stack.plan import Plan
from grove_stack.services import SERVICES
from grove_stack.settings import StackSettings
from grove_stack.testing.servers import servers

S = TypeVar("S", bound=ProcessSettings)


def pytest_configure() -> None:
    """Plain tracebacks in logs: drawing each frame's variables takes seconds for one that crosses the framework."""
    *before, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, plain])
    _judge_no_example_by_the_clock()


def _judge_no_example_by_the_clock() -> None:
    """Hypothesis fails examples that take 200 ms, which says more about the machine than about the code."""
    chosen = settings()  # by the command line, or a CI's environment
    unasked = {*chosen.suppress_health_check, HealthCheck.too_slow}
    settings.register_profile("grove", parent=chosen, deadline=None, suppress_health_check=unasked)
    settings.load_profile("grove")


class Stores:
    """The servers of a running stack, and settings with which a service reaches them."""

    def __init__(self, state_dir: Path) -> None:
        self.plan = Plan(StackSettings(state_dir=state_dir, parts="stores", durable=False))
        self.layout: Layout = self.plan.layout
        self.plan.prepare()  # secrets that a service was given since these servers were started

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a service's process."""
        service = next(service for service in SERVICES if service.name == name)
        self.layout.ensure_identity(name, f"{name}-test")
        return self.plan.environment(service, f"{name}-test") | {"ENVIRONMENT": "test"}

    def settings(self, kind: type[S], **changes: Any) -> S:
        """Settings of a service, with changes."""
        environment = {key.lower(): value for key, value in self.environment(kind.service).items()}
        saved = dict(os.environ)
        os.environ.update({key.upper(): value for key, value in environment.items()})
        try:
            return kind(_env_file=None, **changes)
        finally:
            os.environ.clear()
            os.environ.update(saved)


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """Real servers for the tests of this run."""
    with servers() as state_dir:
        yield Stores(state_dir)


@pytest.fixture
def stopped_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of rate limits stands still: nothing comes back to a bucket, however long a test takes to empty it."""
    moment, script = math.ceil(time.time()), rate_limit._BUCKET  # noqa: SLF001 - the clock is inside
    for running, stopped in (
        ("redis.call('TIME')", f"{{{moment}, 0}}"),
        ("math.ceil((capacity - tokens) / rate / 1000) + 1000", "3600000"),  # a bucket that is full again is forgotten
    ):
        if running not in script:
            raise LookupError(running)
        script = script.replace(running, stopped)
    monkeypatch.setattr(rate_limit, "_BUCKET", script)
    monkeypatch.setattr(rate_limit, "_BUCKET_SHA", hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest())
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=lambda: 1000.0))
