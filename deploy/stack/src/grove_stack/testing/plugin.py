"""The pytest plugin that gives tests real servers; servers.py says where they come from."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog

from grove.core.settings import ProcessSettings
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


class Stores:
    """The servers of a running stack, and settings with which a service reaches them."""

    def __init__(self, state_dir: Path) -> None:
        self.plan = Plan(StackSettings(state_dir=state_dir, parts="stores", durable=False))
        self.layout: Layout = self.plan.layout

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
            return kind(**changes)
        finally:
            os.environ.clear()
            os.environ.update(saved)


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """Real servers for the tests of this run."""
    with servers() as state_dir:
        yield Stores(state_dir)
