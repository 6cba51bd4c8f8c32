"""Where the servers of tests come from."""

import asyncio
import shutil
import time
from typing import ClassVar

import pymongo
import pytest
from pymongo.errors import PyMongoError
from sqlalchemy import text

from grove.messaging.broker import Broker
from grove.mongo.client import MongoServiceSettings, create_client
from grove.postgres.engine import create_engine
from grove.security.mtls import TlsMaterial
from grove.service.postgres import PostgresServiceSettings
from grove.valkey.client import create_valkey
from grove_stack.layout import read_json
from grove_stack.servers import secantus
from grove_stack.testing.plugin import Stores
from grove_stack.testing.servers import PORTS, container_engine, given_ports, servers, variable


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch):
    for server in PORTS:
        monkeypatch.delenv(variable(server), raising=False)


def give(monkeypatch, address) -> None:
    for number, server in enumerate(PORTS):
        monkeypatch.setenv(variable(server), address(server, number))


def test_addresses_are_read(monkeypatch):
    assert given_ports() == {}
    give(monkeypatch, lambda _, number: f"127.0.0.1:{5000 + number}")
    assert given_ports() == {server: 5000 + number for number, server in enumerate(PORTS)}


@pytest.mark.parametrize("address", ["db.example.com:5432", "5432", "127.0.0.1:", "127.0.0.1:x"])
def test_addresses_elsewhere_are_refused(monkeypatch, address):
    give(monkeypatch, lambda *_: address)
    with pytest.raises(ValueError, match="this machine only"):
        given_ports()


def test_a_part_of_the_servers_is_refused(monkeypatch):
    monkeypatch.setenv("GROVE_TEST_POSTGRES", "127.0.0.1:5432")
    with pytest.raises(ValueError, match="GROVE_TEST_MONGODB"):
        given_ports()


def test_given_servers_need_their_certificates(monkeypatch):
    give(monkeypatch, lambda *_: "127.0.0.1:1")
    monkeypatch.delenv("GROVE_TEST_STATE_DIR", raising=False)
    with pytest.raises(ValueError, match="GROVE_TEST_STATE_DIR"), servers():
        pass


def test_without_a_container_engine_there_are_no_containers(monkeypatch, tmp_path):
    """A docker command that can't reach its engine, as on many development machines."""
    monkeypatch.delenv("GROVE_TEST_CONTAINERS", raising=False)
    broken = tmp_path / "docker"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not container_engine()
    broken.unlink()
    assert not container_engine()


class Resource(PostgresServiceSettings):
    service: ClassVar = "resource"


class Auth(MongoServiceSettings):
    service: ClassVar = "auth"


@pytest.mark.integration
def test_given_servers_are_prepared_and_reached(stores, tmp_path, monkeypatch):
    """The running servers, as if somebody else had started them with these certificates and secrets."""
    for part in ("pki", "identity", "secrets"):
        shutil.copytree(stores.layout.root / part, tmp_path / part)
    give(monkeypatch, lambda server, _: f"127.0.0.1:{stores.plan.ports.pick(server)}")
    monkeypatch.setenv("GROVE_TEST_STATE_DIR", str(tmp_path))
    with servers() as folder:
        assert folder == tmp_path
        asyncio.run(reach_all(Stores(folder)))
        mail = read_json(tmp_path / "suite.json")["processes"]
        assert [process["name"] for process in mail] == ["mailcatcher"]


async def reach_all(given: Stores) -> None:
    resource, auth = given.settings(Resource), given.settings(Auth)
    engine = create_engine(resource)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT current_user")) == "resource"
    await engine.dispose()
    valkey = create_valkey(resource)
    assert await valkey.ping()
    await valkey.aclose()
    async with Broker(
        resource.broker_url, TlsMaterial(resource.tls_identity_file, resource.tls_ca_file), "t"
    ).connection():
        pass
    client = create_client(auth)
    assert (await client["auth"].command("ping"))["ok"]
    await client.close()


@pytest.mark.integration
async def test_a_client_that_connects_and_says_nothing_keeps_nobody_out_of_mongodb(stores):
    port = stores.plan.ports.pick("mongodb")
    _, silent = await asyncio.open_connection("127.0.0.1", port)
    client = create_client(stores.settings(Auth))
    async with asyncio.timeout(15):
        assert (await client["auth"].command("ping"))["ok"]
    await client.close()
    silent.close()
    await silent.wait_closed()


@pytest.mark.integration
async def test_a_write_that_waits_for_a_transaction_gives_up_when_its_time_is_over(stores):
    client = create_client(stores.settings(Auth))
    waiting = client["auth"]["waiting"]
    await waiting.insert_one({"_id": 1})
    async with client.start_session() as session, await session.start_transaction():
        await waiting.update_one({"_id": 1}, {"$set": {"held": True}}, session=session)
        with pymongo.timeout(1.5), pytest.raises(PyMongoError):
            await waiting.delete_many({})
        async with asyncio.timeout(3):  # nothing of it is left in the way
            await waiting.update_one({"_id": 1}, {"$set": {"again": True}}, session=session)
    assert await waiting.find_one({}) == {"_id": 1, "held": True, "again": True}
    await waiting.delete_many({})
    await client.close()


def test_abandoned_transactions_are_ended_and_forgotten(monkeypatch):
    monkeypatch.setattr(secantus, "LOOK_SECONDS", 0.01)
    moment, ended = [1000.0], []
    transactions = secantus.Transactions(time_func=lambda: moment[0], rollback_func=ended.append)
    abandoned, _ = transactions.for_statement(b"abandoned", None, 1, start=True)
    working, _ = transactions.for_statement(b"working", None, 1, start=True)
    with working.mutex:
        moment[0] += secantus.TRANSACTION_SECONDS + 1
        wait_until(lambda: ended == [abandoned])
    wait_until(lambda: ended == [abandoned, working])
    assert transactions.commit(b"abandoned", 1)["codeName"] == "NoSuchTransaction"
    moment[0] += secantus.FINISHED_SECONDS
    wait_until(lambda: not transactions._txns)


def wait_until(reached) -> None:
    """Fails after five seconds."""
    end = time.monotonic() + 5
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.01)
