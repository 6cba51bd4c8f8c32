"""The worker process: outbox relay, event consumers, scheduled and queued sync runs."""

from grove.core.settings import load
from grove.messaging.consumer import Consumer
from grove.messaging.topology import queue_name
from grove.observability.health import Health, while_true
from grove.outbox.relay import Relay
from grove.postgres.engine import STORE_ERRORS
from grove.service.housekeeping import Housekeeping
from grove.service.server import configure, run_worker
from grove_provider_sync.consumers import handlers
from grove_provider_sync.resources import Resources
from grove_provider_sync.settings import ProviderSyncSettings
from grove_provider_sync.sync.jobs import JobConsumer, Scheduler
from grove_provider_sync.users.erasure import ERASURE


def run() -> None:
    """Work until stopped."""
    settings = load(ProviderSyncSettings)
    configure(settings)
    resources = Resources(settings)
    relay = Relay(resources.broker, resources.outbox, store_errors=STORE_ERRORS)
    consumer = Consumer(
        settings.service,
        queue_name(settings.service),
        resources.broker,
        resources.inbox,
        handlers(resources),
        prefetch=settings.consumer_prefetch,
    )
    jobs_consumer = JobConsumer(resources)
    health = Health(
        required={"database": resources.check_database},
        degrading={
            "outbox": resources.check_outbox,
            "relay": while_true(lambda: relay.connected, "not connected to RabbitMQ"),
            "consumer": while_true(lambda: consumer.connected, "not connected to RabbitMQ"),
            "jobs": while_true(lambda: jobs_consumer.connected, "not connected to RabbitMQ"),
        },
    )
    jobs = {
        "relay": relay.run,
        "consumer": consumer.run,
        "scheduler": Scheduler(resources).run,
        "jobs": jobs_consumer.run,
        "housekeeping": Housekeeping(resources.inbox, resources.sessions, ERASURE).run,
    }
    run_worker(settings, jobs, resources.tls, health)
