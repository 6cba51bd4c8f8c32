"""The worker process: outbox relay, event consumers, due work."""

from datetime import timedelta

from grove.core.settings import load
from grove.observability.health import Health
from grove.postgres.engine import STORE_ERRORS
from grove.service.events import EventWork
from grove.service.housekeeping import Housekeeping
from grove.service.server import configure, run_worker
from grove_resource.attachments.repository import ScanQueue
from grove_resource.attachments.scanning import Scanner
from grove_resource.consumers import handlers
from grove_resource.files.clamd import Clamd
from grove_resource.files.sweep import Sweep
from grove_resource.reminders.firing import Firing
from grove_resource.resources import Resources
from grove_resource.settings import ResourceSettings
from grove_resource.tasks.purge import Purge
from grove_resource.users.erasure import ERASURE


def run() -> None:
    """Work until stopped."""
    settings = load(ResourceSettings)
    configure(settings)
    resources = Resources(settings)
    events = EventWork(settings, resources, handlers(resources), store_errors=STORE_ERRORS)
    firing = Firing(resources.sessions, resources.reads, look_seconds=settings.reminder_look_seconds)
    health = Health(
        required={"database": resources.check_database},
        degrading={
            "reminders": firing.check,
            "files": resources.files.check,
            **events.checks,
        },
    )
    jobs = {
        **events.jobs,
        "housekeeping": Housekeeping(resources.sessions, ERASURE).run,
        "reminders": firing.run,
        "files": _sweep(resources).run,
    }
    if settings.task_purge_days:
        jobs["purge"] = Purge(resources.sessions, days=settings.task_purge_days).run
    if settings.clamd_socket:
        scanner = _scanner(resources)
        jobs["scanner"] = scanner.run
        health.degrading["scanner"] = scanner.check
    run_worker(settings, jobs, resources.tls, health)


def _sweep(resources: Resources) -> Sweep:
    settings = resources.settings
    grace = timedelta(seconds=settings.files_grace_seconds)
    return Sweep(resources.files, resources.reads, grace=grace, every_seconds=settings.files_sweep_seconds)


def _scanner(resources: Resources) -> Scanner:
    settings = resources.settings
    queue = ScanQueue(resources.sessions, lease=timedelta(seconds=settings.clamd_seconds + 30))
    return Scanner(queue, resources.files, Clamd(settings.clamd_socket, seconds=settings.clamd_seconds))
