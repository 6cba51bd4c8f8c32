"""Clients' addresses: what limits of anonymous clients count by, and what may be shown or logged."""

import ipaddress

from grove.security.mtls import identity_of

EDGE = identity_of("traefik")
"""Who is believed about a client's address."""


def network_of(address: str | None) -> str:
    """IPv4 as it is, IPv6 as its /64; `unknown` without an address."""
    if not address:
        return "unknown"
    parsed = ipaddress.ip_address(address)
    if parsed.version == 6:
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address) + "/64"
    return str(parsed)


def truncated(address: str | None) -> str:
    """The address without its last octet (IPv4) or its last 80 bits (IPv6)."""
    if not address:
        return ""
    parsed = ipaddress.ip_address(address)
    prefix = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, prefix), strict=False).network_address)
