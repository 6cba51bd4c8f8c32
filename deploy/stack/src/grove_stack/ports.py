"""Ports: the wanted one when it is free, else a free one; remembered, so that addresses stay."""

import random
import socket
from itertools import chain
from pathlib import Path

import psutil

from grove_stack.layout import read_json, write_json

_FIRST, _LAST = 20100, 32000
_START = random.randrange(_FIRST, _LAST)  # noqa: S311 - so that two who look at once do not find the same


class Ports:
    """The ports of one stack."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._taken: dict[str, int] = {name: int(port) for name, port in read_json(file).items()}

    def fixed(self, name: str, port: int) -> int:
        """A port that people chose."""
        self._remember(name, port)
        return port

    def pick(self, name: str) -> int:
        """The port that `name` has had, or a free one from now on."""
        if name not in self._taken:
            self._remember(name, free_port(set(self._taken.values())))
        return self._taken[name]

    def _remember(self, name: str, port: int) -> None:
        if self._taken.get(name) != port:
            self._taken[name] = port
            write_json(self._file, dict(self._taken))


def free_port(but: set[int] | None = None) -> int:
    """A loopback port that nobody listens on, below the range from which outgoing connections take theirs."""
    avoid = but or set()
    for port in chain(range(_START, _LAST), range(_FIRST, _START)):
        if port not in avoid and is_free(port):
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST}")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def owner_of(port: int) -> str:
    """Who listens on the port, in words."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                return "a process of another user"
            try:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (pid {connection.pid}: {' '.join(process.cmdline())[:80]})"
            except psutil.Error:
                return f"pid {connection.pid}"
    return "nobody now; it was just released"
