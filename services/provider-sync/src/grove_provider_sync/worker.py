"""The worker process: outbox relay, event consumers, scheduled and queued sync runs."""

from grove.core.settings import load
from grove.observability.health import Health, while_true
from grove.postgres.engine import STORE_ERRORS
from grove.service.events import EventWork
from grove.service.housekeeping import Housekeeping
from grove.service.server import configure, run_worker
from grove_provider_sync.admin.sweeping import DeadTokenSweep
from grove_provider_sync.connections.cleaning import ConnectionCleaning
from grove_provider_sync.connections.warnings import AccessWarnings
from grove_provider_sync.consumers import handlers
from grove_provider_sync.providers.registry import load_adapters
from grove_provider_sync.resources import Resources
from grove_provider_sync.settings import ProviderSyncSettings
from grove_provider_sync.sync.jobs import QUEUE as JOBS
from grove_provider_sync.sync.jobs import JobConsumer, Scheduler
from grove_provider_sync.tokens.revoker import TokenRevoker
from grove_provider_sync.tokens.rewrapping import TokenRewrapping
from grove_provider_sync.users.erasure import ERASURE


def run() -> None:
    """Work until stopped."""
    settings = load(ProviderSyncSettings)
    configure(settings)
    resources = Resources(settings, load_adapters(settings))
    events = EventWork(settings, resources, handlers(resources), JOBS, store_errors=STORE_ERRORS)
    scheduler = Scheduler(resources)
    jobs_consumer = JobConsumer(resources, scheduler)
    revoker = TokenRevoker(resources)
    health = Health(
        required={"database": resources.check_database},
        degrading={
            **events.checks,
            "jobs": while_true(lambda: jobs_consumer.connected, "not connected to RabbitMQ"),
            "token_revocations": revoker.check,
        },
    )
    jobs = {
        **events.jobs,
        "scheduler": scheduler.run,
        "jobs": jobs_consumer.run,
        "dead_tokens": DeadTokenSweep(resources).run,
        "token_revocations": revoker.run,
        "connection_cleaning": ConnectionCleaning(resources).run,
        "access_warnings": AccessWarnings(resources).run,
        "token_rewrapping": TokenRewrapping(resources).run,
        "housekeeping": Housekeeping(resources.sessions, ERASURE).run,
    }
    run_worker(settings, jobs, resources.tls, health)
