"""From names to addresses, without a thread: a name server that hangs costs its caller's time and nobody else's."""

from collections.abc import Awaitable, Callable

import dns.asyncresolver
import dns.exception

Resolve = Callable[[str], Awaitable[list[str]]]
"""The addresses of a name, none when it has none or nobody knows."""


async def resolve(name: str) -> list[str]:
    """Ask the machine's name servers; IPv4 first, since many networks have no way out by IPv6."""
    try:
        found = await dns.asyncresolver.Resolver().resolve_name(name, search=False)
    except dns.exception.DNSException:
        return []
    return sorted(found.addresses(), key=lambda address: ":" in address)
