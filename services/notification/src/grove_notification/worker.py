"""The worker process: outbox relay, event consumers, mail sending, webhooks."""

from grove.core.settings import load
from grove.observability.health import Health
from grove.postgres.engine import STORE_ERRORS
from grove.service.events import EventWork
from grove.service.housekeeping import Housekeeping
from grove.service.server import configure, run_worker
from grove_notification.consumers import handlers
from grove_notification.digests.mailing import DigestMailing
from grove_notification.live.retention import FramePurge
from grove_notification.mails.retention import MailRetention
from grove_notification.mails.sending.sender import MailSender
from grove_notification.notifications.release import Release
from grove_notification.notifications.retention import Retention
from grove_notification.resources import Resources
from grove_notification.settings import NotificationSettings
from grove_notification.users.erasure import ERASURE
from grove_notification.webhooks.cleaning import WebhookCleaning
from grove_notification.webhooks.deliveries.backlog import Backlog
from grove_notification.webhooks.deliveries.sender import WebhookSender


def run() -> None:
    """Work until stopped."""
    settings = load(NotificationSettings)
    configure(settings)
    resources = Resources(settings)
    sender = MailSender(resources)
    webhooks = WebhookSender(resources)
    events = EventWork(settings, resources, handlers(resources), store_errors=STORE_ERRORS)
    health = Health(
        required={"database": resources.check_database},
        degrading={
            "cache": resources.check_valkey,
            **events.checks,
            "mail": sender.check,
            "webhooks": webhooks.check,
        },
    )
    jobs = {
        **events.jobs,
        "mail": sender.run,
        "mail_retention": MailRetention(resources.sessions, days=settings.mail_days).run,
        "digests": DigestMailing(resources.sessions, resources.mail_queue).run,
        "release": Release(resources.sessions, resources.push).run,
        "live_frames": FramePurge(resources.sessions, hours=settings.live_frames_hours).run,
        "webhooks": webhooks.run,
        "webhook_backlog": Backlog(resources.sessions, resources.mail_queue, most=settings.webhook_pending_max).run,
        "webhook_cleaning": WebhookCleaning(
            resources.sessions, resources.webhook_cipher, days=settings.webhook_delivery_days
        ).run,
        "housekeeping": Housekeeping(resources.sessions, ERASURE).run,
    }
    if settings.read_notifications_days:
        jobs["retention"] = Retention(resources.sessions, days=settings.read_notifications_days).run
    run_worker(settings, jobs, resources.tls, health)
