"""The worker process: outbox relay, event consumers, mail sending."""

from grove.core.settings import load
from grove.observability.health import Health
from grove.postgres.engine import STORE_ERRORS
from grove.service.events import EventWork
from grove.service.housekeeping import Housekeeping
from grove.service.server import configure, run_worker
from grove_notification.consumers import handlers
from grove_notification.mails.sender import MailSender
from grove_notification.notifications.release import Release
from grove_notification.notifications.retention import Retention
from grove_notification.resources import Resources
from grove_notification.settings import NotificationSettings
from grove_notification.users.erasure import ERASURE


def run() -> None:
    """Work until stopped."""
    settings = load(NotificationSettings)
    configure(settings)
    resources = Resources(settings)
    sender = MailSender(resources)
    events = EventWork(settings, resources, handlers(resources), store_errors=STORE_ERRORS)
    health = Health(
        required={"database": resources.check_database},
        degrading={
            "cache": resources.check_valkey,
            **events.checks,
            "mail": sender.check,
        },
    )
    jobs = {
        **events.jobs,
        "mail": sender.run,
        "release": Release(resources.sessions, resources.push).run,
        "housekeeping": Housekeeping(resources.inbox, resources.sessions, ERASURE).run,
    }
    if settings.read_notifications_days:
        jobs["retention"] = Retention(resources.sessions, days=settings.read_notifications_days).run
    run_worker(settings, jobs, resources.tls, health)
