"""What a webhook may call. Asked when it is saved, and again at each connect, of the very address that is connected to.

Between those a name can come to mean another address, so only the second look protects; the first one tells people.
"""

import asyncio
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass

import httpx2

from grove_notification.webhooks.addresses import Network, is_public, is_within
from grove_notification.webhooks.resolving import Resolve

MAX_URL = 2000
_RESOLVE_SECONDS = 3.0
_PORTS = {"https": 443, "http": 80}
_INSIDE = ("localhost", "local", "internal", "home.arpa")
"""Top level names that mean something inside only."""
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))+")
_NUMBER = re.compile(r"(0x[0-9a-f]*|\d+)")
_DOTTED = re.compile(r"(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}")


class TargetRefused(Exception):
    """Webhooks may not call that; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a URL that say where it leads. `host` as it is connected to: ASCII, an IPv6 address bare."""

    scheme: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """As the operator's list has it."""
        return place(self.host, self.port)


def place(host: str, port: int) -> str:
    """`host:port`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Targets:
    """The rules of one installation."""

    def __init__(
        self, ports: Collection[int], allowed: Collection[str], resolve: Resolve, denied: Collection[Network] = ()
    ) -> None:
        """`allowed`: exact `host:port` of places inside. `denied`: public networks of the operator's own."""
        self._ports = frozenset(ports)
        self._allowed = frozenset(each.lower() for each in allowed)
        self._resolve = resolve
        self._denied = tuple(denied)

    async def check(self, url: str) -> None:
        """Refuse a URL that may not be saved. A name that has no address now passes: it is asked at each send.

        Raises TargetRefused.
        """
        target = self.parse(url)
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                await self.addresses(target.host, target.port)
        except (TimeoutError, OSError):
            return

    def parse(self, url: str) -> Target:
        """What can be said of a URL without asking for addresses. Raises TargetRefused."""
        target = _target(url)
        if target.place in self._allowed:
            return target
        if target.scheme != "https":
            raise TargetRefused("must begin with https://")
        if target.port not in self._ports:
            ports = ", ".join(map(str, sorted(self._ports)))
            raise TargetRefused(f"leads to port {target.port}; allowed: {ports}")
        self._check_host(target.host)
        return target

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where to connect to. Raises TargetRefused, or OSError when the name has no address."""
        if place(host, port) in self._allowed:
            return await _of_system(host, port)
        if port not in self._ports:
            raise TargetRefused(f"leads to port {port}")
        self._check_host(host)
        found = [host] if _is_literal(host) else await self._resolve(host)
        if not all(map(self._is_outside, found)):  # one of several is enough: who mixes them wants to be misunderstood
            raise TargetRefused("leads to an address that is not on the public internet")
        if not found:
            raise OSError(f"{host} has no address")
        return found

    def _is_outside(self, address: str) -> bool:
        return is_public(address) and not is_within(address, self._denied)

    def _check_host(self, host: str) -> None:
        if _is_literal(host):
            if not self._is_outside(host):
                raise TargetRefused("leads to an address that is not on the public internet")
        else:
            _check_name(host)


def _target(url: str) -> Target:
    if len(url) > MAX_URL or not url.isprintable() or any(char in url for char in ' \\"<>^`{|}'):
        raise TargetRefused("is not a URL")
    try:
        parsed = httpx2.URL(url)
        host = parsed.raw_host.decode("ascii").lower()
    except (httpx2.InvalidURL, ValueError):
        raise TargetRefused("is not a URL") from None
    if parsed.scheme not in _PORTS or not host:
        raise TargetRefused("must begin with https:// and a host")
    if parsed.userinfo or "@" in parsed.netloc.decode("ascii", "replace"):
        raise TargetRefused("must not have a user or password in it")
    if parsed.fragment or "#" in url:
        raise TargetRefused("must not have a fragment")
    return Target(parsed.scheme, host, parsed.port or _PORTS[parsed.scheme])


def _check_name(host: str) -> None:
    if host.endswith("."):  # what certificates are for has none
        raise TargetRefused("must not end its host with a dot")
    if _NUMBER.fullmatch(host.rsplit(".", 1)[-1]):  # decimal, octal, hexadecimal, short: what libraries take for one
        raise TargetRefused("must spell an address in its usual form")
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise TargetRefused("must name a host of the public internet")
    if any(host.endswith(f".{inside}") for inside in _INSIDE):
        raise TargetRefused("names a host that is not on the public internet")


def _is_literal(host: str) -> bool:
    return ":" in host or _DOTTED.fullmatch(host) is not None


async def _of_system(host: str, port: int) -> list[str]:
    """As this machine knows it: by its hosts file and its search domains too."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def host_of(url: str) -> str:
    """The host of a URL that was checked; the rest of it may be a secret."""
    return httpx2.URL(url).raw_host.decode("ascii")  # as it is connected to: not each can be decoded
