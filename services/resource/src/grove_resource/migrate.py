"""The migrate step."""

from grove.postgres.migrations import migrate
from grove_resource.settings import ResourceSettings

run = migrate(ResourceSettings)
