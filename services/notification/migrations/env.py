"""Alembic's entry."""

from grove.postgres.migrations import run_env
from grove_notification.models import Base
from grove_notification.settings import NotificationSettings

run_env(Base.metadata, NotificationSettings)
