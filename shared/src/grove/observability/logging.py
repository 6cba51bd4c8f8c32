"""Structured logs: one JSON object a line, with request and trace, without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from opentelemetry import trace

from grove.core.context import current_context
from grove.core.settings import ProcessSettings

Event = MutableMapping[str, Any]

_SECRET_KEYS = re.compile(r"(password|secret|token|authorization|cookie|api_key|sealed|code_verifier)", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+)|(grv_[\w-]{8,})|((?<=Bearer )[\w.~+/-]+)|((?<=://)[^/\s:@]+:[^@\s]+(?=@))"
)
REDACTED = "[redacted]"


def configure_logging(settings: ProcessSettings) -> None:
    """Send every log of the process, libraries' included, to standard output as JSON."""
    before: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_process(settings),
        _add_request,
        _add_trace,
    ]
    after: list[structlog.types.Processor] = [
        structlog.processors.format_exc_info,
        redact,
        structlog.processors.JSONRenderer(default=str),
    ]
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    # uvicorn tells each WebSocket's whole address, with the ticket in it.
    for noisy in ("aiormq", "aio_pika", "httpx2", "httpcore2", "uvicorn.access", "uvicorn.error", "pymongo", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """Replace secrets: values of telling names at any depth, and tokens and passwords inside text."""
    return {key: REDACTED if _SECRET_KEYS.search(key) else _clean(value) for key, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET_TEXT.sub(REDACTED, value)
    if isinstance(value, dict):
        return {k: REDACTED if _SECRET_KEYS.search(str(k)) else _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def _add_process(settings: ProcessSettings) -> structlog.types.Processor:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        event["service"] = settings.service
        event["instance"] = settings.instance
        return event

    return add


def _add_request(_logger: Any, _method: str, event: Event) -> Event:
    context = current_context()
    if context is not None:
        event.setdefault("request_id", context.request_id)
        if context.user_id is not None:
            event.setdefault("user_id", str(context.user_id))
    return event


def _add_trace(_logger: Any, _method: str, event: Event) -> Event:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = f"{span.trace_id:032x}"
        event["span_id"] = f"{span.span_id:016x}"
    return event
