"""The migrate step."""

from grove.postgres.migrations import migrate
from grove_notification.settings import NotificationSettings

run = migrate(NotificationSettings)
