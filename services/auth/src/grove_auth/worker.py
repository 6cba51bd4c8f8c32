"""The worker process: outbox relay, event consumer, revocation feed."""

from grove.core.settings import load
from grove.outbox.mongo import STORE_ERRORS
from grove.service.events import EventWork
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
    events = EventWork(settings, resources, handlers(), store_errors=STORE_ERRORS)
    health = resources.health()
    health.degrading.update(events.checks)
    deletions = DeletionService(resources)
    health.degrading["erasures"] = deletions.check
    jobs = {
        **events.jobs,
        "revocations": resources.publisher.run,
        "blocks": AdminService(resources).run,
        "deletions": deletions.run,
        "audit_seals": resources.sealer.run,
        "recoveries": RecoveryService(resources).run,
        "signing_keys": KeyRotation(resources).run,
    }
    run_worker(settings, jobs, resources.tls, health, start=resources.start)
