"""The PostgreSQL part of a service's resources."""

from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.settings import ServiceSettings
from grove.outbox.postgres import PostgresInbox, PostgresOutboxStore
from grove.postgres.engine import DatabaseSettings, create_engine
from grove.postgres.reads import Reads, Statement
from grove.service.resources import ServiceResources

_ALIVE = Statement("SELECT 1")


class PostgresServiceSettings(ServiceSettings, DatabaseSettings):
    """Settings of a service with a PostgreSQL database"""

    required_secrets: ClassVar[tuple[str, ...]] = ("database_password", "valkey_password")


class PostgresResources(ServiceResources):
    """What a service with a PostgreSQL database holds."""

    def __init__(self, settings: PostgresServiceSettings) -> None:
        super().__init__(settings)
        self.engine = create_engine(settings)
        self.reads = Reads(settings)
        self.sessions = async_sessionmaker(self.engine, class_=AsyncSession, expire_on_commit=False)
        self.outbox = PostgresOutboxStore(self.engine)
        self.inbox = PostgresInbox(self.sessions)

    async def aclose(self) -> None:
        """Close connections."""
        await super().aclose()
        await self.reads.aclose()
        await self.engine.dispose()

    async def check_database(self) -> str | None:
        """A health check."""
        await self.reads.scalar(_ALIVE)
        return None

    async def check_valkey(self) -> str | None:
        """A health check."""
        await self.valkey.ping()
        return None
