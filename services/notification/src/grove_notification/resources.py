"""What the processes of the notification service hold; the tests build the same."""

from grove.observability.health import Health, while_true
from grove.security.encryption import FieldCipher
from grove.service.postgres import PostgresResources
from grove.service.resources import SignIn
from grove_notification.live.acks import Acks
from grove_notification.live.hub import Hub
from grove_notification.live.push import LivePush
from grove_notification.live.sweeper import Sweeper
from grove_notification.mails.queue import MailQueue
from grove_notification.settings import NotificationSettings
from grove_notification.webhooks.deliveries.queue import WebhookQueue
from grove_notification.webhooks.resolving import resolve
from grove_notification.webhooks.targets import Targets


class Resources(PostgresResources):
    """Everything of both processes."""

    def __init__(self, settings: NotificationSettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.sign_in = SignIn(settings, self)
        self.mail_cipher = FieldCipher(lambda: settings.secrets.read("mail_key_ring"))
        self.mail_queue = MailQueue(self.mail_cipher)
        self.webhook_cipher = FieldCipher(lambda: settings.secrets.read("webhook_key_ring"))
        self.webhook_queue = WebhookQueue()
        self.targets = Targets(
            settings.webhook_ports, settings.webhook_allowed_targets, resolve, settings.webhook_denied_networks
        )
        self.push = LivePush(self.valkey)
        self.acks = Acks(self.valkey, hours=settings.live_frames_hours)
        self.hub = Hub(
            self.valkey,
            self.reads,
            most=settings.live_connections,
            per_user=settings.live_connections_per_user,
        )
        self.sweeper = Sweeper(self.hub, self.sign_in)

    async def aclose(self) -> None:
        """Close connections."""
        await super().aclose()
        await self.sign_in.aclose()

    def api_health(self) -> Health:
        """The checks of an api process."""
        feed = self.sign_in.feed
        return Health(
            required={
                "database": self.check_database,
                "revocations": while_true(lambda: feed.loaded_once, "the revocation snapshot was never loaded"),
            },
            degrading={
                "cache": self.check_valkey,
                "live": while_true(lambda: self.hub.subscribed, "live pushes wait for Valkey"),
                "live_connections": while_true(
                    lambda: not self.hub.full, "as many as LIVE_CONNECTIONS are open; start another api process"
                ),
                "revocation_feed": while_true(lambda: feed.live, "lost; auth is asked about each token"),
            },
        )
