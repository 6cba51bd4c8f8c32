"""Alembic's entry."""

from grove.postgres.migrations import run_env
from grove_provider_sync.models import Base
from grove_provider_sync.settings import ProviderSyncSettings

run_env(Base.metadata, ProviderSyncSettings)
