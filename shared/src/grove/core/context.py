"""What is known about the request or event being worked on; logs, events and errors read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(slots=True)
class RequestContext:
    """One unit of work. `client_ip` is the address of the client as the edge saw it."""

    request_id: str
    client_ip: str | None = None
    user_agent: str = ""
    user_id: UUID | None = None
    session_id: str | None = None
    method: str = ""
    route: str = ""
    traceparent: str | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    """Headers that dependencies add to whatever answer follows, errors included."""


_current: ContextVar[RequestContext | None] = ContextVar("grove_request_context", default=None)


def current_context() -> RequestContext | None:
    """The context of the request or event being worked on, if any."""
    return _current.get()


@contextmanager
def use_context(context: RequestContext) -> Iterator[RequestContext]:
    """Make `context` current within the block."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
