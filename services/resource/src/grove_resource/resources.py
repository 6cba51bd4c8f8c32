"""What the processes of the resource service hold; the tests build the same."""

from grove.observability.health import Health, while_true
from grove.service.postgres import PostgresResources
from grove.service.resources import SignIn
from grove.valkey.cache import UserCache
from grove_resource.activities.data_schemas.checks import DataChecks
from grove_resource.files.store import FileStore
from grove_resource.images.renderer import Renderer
from grove_resource.settings import ResourceSettings

PROFILE_SECONDS = 300
"""How long a profile is kept in Valkey."""
RECENT_SECONDS = 60
"""The same of recent activities."""


class Resources(PostgresResources):
    """Everything of both processes."""

    def __init__(self, settings: ResourceSettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.sign_in = SignIn(settings, self)
        self.files = FileStore(settings)
        self.renderer = Renderer()
        self.profile_cache = UserCache(self.valkey, settings.service, "profile", PROFILE_SECONDS)
        self.data_checks = DataChecks()
        self.recent_activities = UserCache(self.valkey, settings.service, "recent-activities", RECENT_SECONDS)

    async def aclose(self) -> None:
        """Close connections."""
        await super().aclose()
        await self.data_checks.aclose()
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
                "files": self.files.check,
                "revocation_feed": while_true(lambda: feed.live, "lost; auth is asked about each token"),
            },
        )
