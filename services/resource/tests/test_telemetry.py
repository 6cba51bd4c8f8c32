"""One trace from the request through the database and the event to its consumer."""

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from grove.contracts.event import Envelope
from grove.core.ids import new_id
from grove.postgres.reads import Statement
from grove.testing.http import client_of
from grove.web.auth import Authenticator
from grove_resource.main import build
from grove_resource.resources import Resources

pytestmark = pytest.mark.integration


async def test_request_database_and_event_share_a_trace(settings, resources, issuer, gate):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    SQLAlchemyInstrumentor().uninstrument()
    traced = Resources(settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:1"}))
    app = build(settings, traced)
    app.state.authenticator = Authenticator(issuer.verifier(), gate, resources.limiter)
    parent = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = issuer.headers(new_id()) | {"traceparent": f"00-{parent}-00f067aa0ba902b7-01"}
    async with client_of(app) as client:
        answer = await client.post("/api/v1/tasks", json={"title": "Traced"}, headers=headers)
    assert answer.status_code == 201
    body = await resources.reads.scalar(Statement("SELECT body FROM outbox"))
    await traced.aclose()
    spans = [span for span in exporter.get_finished_spans() if f"{span.context.trace_id:032x}" == parent]
    names = {span.name for span in spans}
    assert "POST /api/v1/tasks" in names
    assert any(name.startswith("INSERT") for name in names), names
    assert Envelope.model_validate_json(bytes(body)).traceparent.split("-")[1] == parent
