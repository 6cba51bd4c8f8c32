"""The migrate step."""

from grove.postgres.migrations import migrate
from grove_provider_sync.settings import ProviderSyncSettings

run = migrate(ProviderSyncSettings)
