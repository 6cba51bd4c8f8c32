"""The worker process: outbox relay and revocation feed."""

from grove.core.settings import load
from grove.observability.health import while_true
from grove.outbox.mongo import STORE_ERRORS
from grove.outbox.relay import Relay
from grove.service.server import configure, run_worker
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings


def run() -> None:
    """Work until stopped."""
    settings = load(AuthSettings)
    configure(settings)
    resources = Resources(settings)
    relay = Relay(resources.broker, resources.outbox, store_errors=STORE_ERRORS)
    health = resources.health()
    health.degrading["relay"] = while_true(lambda: relay.connected, "not connected to RabbitMQ")
    run_worker(settings, {"relay": relay.run, "revocations": resources.publisher.run}, resources.tls, health)
