"""The worker process: outbox relay, event consumer, revocation feed."""

from grove.core.settings import load
from grove.messaging.consumer import Consumer
from grove.messaging.topology import queue_name
from grove.observability.health import while_true
from grove.outbox.mongo import STORE_ERRORS
from grove.outbox.relay import Relay
from grove.service.server import configure, run_worker
from grove_auth.admin.service import AdminService
from grove_auth.consumers import handlers
from grove_auth.deletions.service import DeletionService
from grove_auth.keys.rotation import KeyRotation
from grove_auth.mfa.recovery import RecoveryService
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings


def run() -> None:
    """Work until stopped."""
    settings = load(AuthSettings)
    configure(settings)
    resources = Resources(settings)
    relay = Relay(resources.broker, resources.outbox, store_errors=STORE_ERRORS)
    consumer = Consumer(
        settings.service,
        queue_name(settings.service),
        resources.broker,
        resources.inbox,
        handlers(),
        prefetch=settings.consumer_prefetch,
    )
    health = resources.health()
    health.degrading["relay"] = while_true(lambda: relay.connected, "not connected to RabbitMQ")
    health.degrading["consumer"] = while_true(lambda: consumer.connected, "not connected to RabbitMQ")
    deletions = DeletionService(resources)
    health.degrading["erasures"] = deletions.check
    jobs = {
        "relay": relay.run,
        "consumer": consumer.run,
        "revocations": resources.publisher.run,
        "blocks": AdminService(resources).run,
        "deletions": deletions.run,
        "audit_seals": resources.sealer.run,
        "recoveries": RecoveryService(resources).run,
        "signing_keys": KeyRotation(resources).run,
    }
    run_worker(settings, jobs, resources.tls, health, start=resources.start)
