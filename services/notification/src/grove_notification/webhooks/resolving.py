"""From names to addresses, without a thread: a name server that hangs costs its caller's time and nobody else's."""

import asyncio
from collections.abc import Awaitable, Callable

import dns.asyncresolver
import dns.exception

Resolve = Callable[[str], Awaitable[list[str]]]
"""The addresses of a name, none when it has none or nobody knows."""

_FAMILIES = ("A", "AAAA")
_OTHER_SECONDS = 1.0
"""How long one family is waited for when the other has an address."""


async def resolve(name: str) -> list[str]:
    """Ask the machine's name servers for either family; IPv4 first, since many networks have no way out by IPv6.

    Each is asked for by itself: there are name servers that know nothing of AAAA, and fail or say nothing.
    """
    resolver = dns.asyncresolver.Resolver()
    asked = [asyncio.create_task(_ask(resolver, name, family)) for family in _FAMILIES]
    try:
        for first in asyncio.as_completed(asked):
            if await first:
                break
        await asyncio.wait(asked, timeout=_OTHER_SECONDS)
        return [address for each in asked if each.done() for address in each.result()]
    finally:
        for each in asked:
            each.cancel()


async def _ask(resolver: dns.asyncresolver.Resolver, name: str, family: str) -> list[str]:
    try:
        found = await resolver.resolve(name, family, search=False)
    except dns.exception.DNSException:
        return []
    return [record.to_text() for record in found]
