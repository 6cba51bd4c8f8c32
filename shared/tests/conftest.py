"""Fixtures of the shared library's tests."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from grove.messaging.broker import Broker
from grove.outbox.postgres import InboxRow, OutboxRow
from grove.postgres.base import Base
from grove.postgres.engine import create_engine
from grove.security.mtls import TlsMaterial
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove.service.postgres import PostgresServiceSettings
from grove.testing.tokens import Issuer
from grove_stack.testing.plugin import Stores


class SharedSettings(PostgresServiceSettings):
    service = "resource"


@pytest.fixture(scope="session")
def settings(stores: Stores) -> SharedSettings:
    return stores.settings(SharedSettings, database_name="shared_test", database_user="shared_test")


@pytest.fixture(scope="session")
async def engine(stores: Stores, settings: SharedSettings) -> AsyncIterator[AsyncEngine]:
    await stores.plan.postgres.create_database("shared_test", password=settings.secrets.read("database_password"))
    engine = create_engine(settings)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
        await connection.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_notify('grove_outbox', ''); RETURN NULL; END $$"
        )
        await connection.exec_driver_sql(
            "CREATE TRIGGER outbox_notify AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify()"
        )
    yield engine
    await engine.dispose()


@pytest.fixture
async def sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    async with engine.begin() as connection:
        for table in (OutboxRow, InboxRow, IdempotencyKeyRow):
            await connection.execute(table.__table__.delete())
    return async_sessionmaker(engine, expire_on_commit=False)


@pytest.fixture(scope="session")
def brokers(stores: Stores):
    """A broker as seen by any process: brokers("auth")."""

    def of(service: str) -> Broker:
        stores.layout.ensure_identity(service, f"{service}-test")
        tls = TlsMaterial(stores.layout.identity_file(f"{service}-test"), stores.layout.internal_ca.certificate_file)
        return Broker(f"amqps://127.0.0.1:{stores.plan.rabbitmq.port}/grove", tls, f"{service}-test")

    return of


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()
