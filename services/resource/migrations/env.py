"""Alembic's entry."""

from grove.postgres.migrations import run_env
from grove_resource.models import Base
from grove_resource.settings import ResourceSettings

run_env(Base.metadata, ResourceSettings)
