"""The worker process: outbox relay, event consumers, mail sending."""

from grove.core.settings import load
from grove.messaging.consumer import Consumer
from grove.messaging.topology import queue_name
from grove.observability.health import Health, while_true
from grove.outbox.relay import Relay
from grove.postgres.engine import STORE_ERRORS
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
    relay = Relay(resources.broker, resources.outbox, store_errors=STORE_ERRORS)
    sender = MailSender(resources)
    consumer = Consumer(
        settings.service,
        queue_name(settings.service),
        resources.broker,
        resources.inbox,
        handlers(resources),
        prefetch=settings.consumer_prefetch,
    )
    health = Health(
        required={"database": resources.check_database},
        degrading={
            "cache": resources.check_valkey,
            "outbox": resources.check_outbox,
            "relay": while_true(lambda: relay.connected, "not connected to RabbitMQ"),
            "consumer": while_true(lambda: consumer.connected, "not connected to RabbitMQ"),
            "mail": sender.check,
        },
    )
    jobs = {
        "relay": relay.run,
        "consumer": consumer.run,
        "mail": sender.run,
        "release": Release(resources.sessions, resources.push).run,
        "housekeeping": Housekeeping(resources.inbox, resources.sessions, ERASURE).run,
    }
    if settings.read_notifications_days:
        jobs["retention"] = Retention(resources.sessions, days=settings.read_notifications_days).run
    run_worker(settings, jobs, resources.tls, health)
