"""The MongoDB client and transactions."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeVar

import pymongo
from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
from pydantic import Field
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)
from pymongo.read_concern import ReadConcern

from grove.core.settings import Concern, ServiceSettings

T = TypeVar("T")
TRANSACTION_SECONDS = 5
Document = dict[str, object]
MONGO_ERRORS: tuple[type[Exception], ...] = (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)


def is_unavailable(error: BaseException) -> bool:
    """Whether trying again in a moment can help: the database is away."""
    return isinstance(error, MONGO_ERRORS)


class MongoSettings(Concern):
    """MongoDB"""

    mongo_host: str = Field("mongodb", description="Host")
    mongo_port: int = Field(27017, description="Port")
    mongo_database: str = Field("", description="Database; empty: the service's name")
    mongo_user: str = Field("", description="User; empty: the service's name")
    mongo_pool_size: int = Field(50, ge=1, description="Connections per process")
    mongo_replica_set: str = Field("rs0", description="Name of the replica set; empty: connect to this host only")


class MongoServiceSettings(ServiceSettings, MongoSettings):
    """Settings of a service with a MongoDB database"""

    required_secrets: ClassVar[tuple[str, ...]] = ("mongo_password", "valkey_password")


def create_client(settings: MongoServiceSettings) -> "AsyncMongoClient[Document]":
    """A client over mTLS: majority and journaled writes, majority reads, every operation timed out."""
    if settings.otlp_endpoint:
        PymongoInstrumentor().instrument()
    topology: dict[str, Any] = (
        {"replicaSet": settings.mongo_replica_set} if settings.mongo_replica_set else {"directConnection": True}
    )
    return AsyncMongoClient(
        settings.mongo_host,
        settings.mongo_port,
        username=settings.mongo_user or settings.service,
        password=settings.secrets.read("mongo_password"),
        authSource=settings.mongo_database or settings.service,
        tls=True,
        tlsCertificateKeyFile=str(settings.tls_identity_file),
        tlsCAFile=str(settings.tls_ca_file),
        w="majority",
        journal=True,
        readConcernLevel="majority",
        timeoutMS=5000,
        serverSelectionTimeoutMS=3000,
        connectTimeoutMS=3000,
        maxIdleTimeMS=240_000,
        maxPoolSize=settings.mongo_pool_size,
        tz_aware=True,
        uuidRepresentation="standard",
        appname=settings.instance or settings.service,
        **topology,
    )


async def in_transaction(client: "AsyncMongoClient[Document]", work: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
    """Run `work` in a transaction, again when it met a write conflict. What it raises rolls back.

    Raises one of MONGO_ERRORS after TRANSACTION_SECONDS, repeats included; PyMongo itself would go on for two minutes.
    """
    with pymongo.timeout(TRANSACTION_SECONDS):
        async with client.start_session() as session:
            return await session.with_transaction(
                work, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority", j=True)
            )
