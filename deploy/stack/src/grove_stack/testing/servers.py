"""Where the servers come from that tests run against.

The first of these that applies:

1. `GROVE_TEST_STATE_DIR` alone: a stack that runs (`make test` starts one for all parts).
2. `GROVE_TEST_POSTGRES`, `_MONGODB`, `_VALKEY`, `_RABBITMQ` and `_RABBITMQ_MANAGEMENT`, each `127.0.0.1:port`:
   servers that were started with the certificates and secrets in `GROVE_TEST_STATE_DIR` (`grove stack files` makes
   them).
3. A container engine: docker-compose.yml's servers, unless `GROVE_TEST_CONTAINERS=off`.
4. A stack of servers, started for this run and removed after it.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from testcontainers.compose import DockerCompose

from grove_stack.compose import write_files
from grove_stack.development import ROOT
from grove_stack.plan import Plan
from grove_stack.ports import Ports
from grove_stack.settings import StackSettings
from grove_stack.testing.stacks import command, new_folder, remove, start

PORTS = {"postgres": 5432, "mongodb": 27017, "valkey": 6379, "rabbitmq": 5671, "rabbitmq-management": 15671}
"""Server → its own port, by which a container engine is asked for the published one."""


@contextmanager
def servers() -> Iterator[Path]:
    """The state folder of servers that run within the block."""
    folder = os.environ.get("GROVE_TEST_STATE_DIR")
    ports = given_ports()
    if ports:
        if not folder:
            raise ValueError("GROVE_TEST_STATE_DIR must name the folder with the servers' certificates and secrets.")
        with _prepared(Path(folder), ports):
            yield Path(folder)
    elif folder:
        yield Path(folder)
    else:
        with ExitStack() as stack:
            yield _containers(stack) or _local(stack)


def given_ports() -> dict[str, int]:
    """Server → port, from the environment. Raises ValueError for a part of them, or one that is not on loopback."""
    named = {server: os.environ.get(variable(server), "") for server in PORTS}
    missing = [variable(server) for server, address in named.items() if not address]
    if len(missing) == len(named):
        return {}
    if missing:
        raise ValueError(f"Set {', '.join(missing)} too: the tests use all of the given servers or none.")
    ports = {}
    for server, address in named.items():
        host, _, port = address.rpartition(":")
        if host not in {"127.0.0.1", "localhost"} or not port.isdigit():
            raise ValueError(f"{variable(server)} must be 127.0.0.1:port; tests talk to this machine only.")
        ports[server] = int(port)
    return ports


def container_engine() -> bool:
    """Whether one answers, with compose."""
    if shutil.which("docker") is None:
        return False
    asked = (["docker", "compose", "version"], ["docker", "info"])
    return all(subprocess.run(words, capture_output=True, check=False).returncode == 0 for words in asked)


def variable(server: str) -> str:
    """The environment variable with a server's address."""
    return f"GROVE_TEST_{server.upper().replace('-', '_')}"


@contextmanager
def _prepared(folder: Path, ports: Mapping[str, int]) -> Iterator[None]:
    """Users, databases and topology made on the servers; mail is caught by a process of our own."""
    known = Ports(folder / "ports.json")
    for server, port in ports.items():
        known.fixed(server, port)
    plan = Plan(StackSettings(state_dir=folder, https_port=0, http_port=0))
    plan.prepare()
    asyncio.run(_prepare(plan))
    start(folder, parts="mail")
    try:
        yield
    finally:
        command(folder, "stack", "down")


async def _prepare(plan: Plan) -> None:
    await plan.mongodb.initiate()
    await plan.postgres.create_databases()
    await plan.rabbitmq.declare_topology()


def _containers(stack: ExitStack) -> Path | None:
    """docker-compose.yml's servers; None where they can't be had, for example because no image can be pulled."""
    if os.environ.get("GROVE_TEST_CONTAINERS") == "off" or not container_engine():
        return None
    state = ROOT / "deploy" / "state"
    write_files(state)
    override = Path(__file__).with_name("compose.yml")
    wanted = ["postgres", "mongodb", "valkey", "rabbitmq"]
    compose = DockerCompose(ROOT, ["docker-compose.yml", str(override)], services=wanted)
    try:
        compose.start()
    except subprocess.CalledProcessError as failed:
        compose.stop()
        print(f"Containers did not start ({failed}); using local servers.", file=sys.stderr)  # noqa: T201
        return None
    stack.callback(compose.stop)
    ports = {
        server: int(compose.get_service_port(server.removesuffix("-management"), port) or 0)
        for server, port in PORTS.items()
    }
    stack.enter_context(_prepared(state, ports))
    return state


def _local(stack: ExitStack) -> Path:
    folder = new_folder()
    stack.callback(remove, folder)
    start(folder, parts="stores")
    return folder
