"""Which addresses are the public internet's. Everything else is somebody's inside, and no webhook goes there.

The networks are spelled out (the special-purpose registries of IANA): what Python's `ipaddress` thinks of them changes
with its version.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

_NOT_PUBLIC_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' own; the metadata service of one cloud
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # the host of one cloud's virtual machines
        "169.254.0.0/16",  # link-local; the metadata services of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; the metadata service of one cloud
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo, which wraps an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which wraps one too
        "3fff::/20",  # documentation
    )
)
_WRAPPING = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""IPv4 in IPv6: mapped addresses, and those of NAT64. As public as the address inside."""


def is_public(address: str) -> bool:
    """Whether an address literal is public; False for what is none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _is_public_v4(parsed)
    return parsed.scope_id is None and _is_public_v6(parsed)


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether a public address, or the IPv4 address that it wraps, is in one of the networks."""
    parsed = ip_address(address)
    wrapped = _wrapped(parsed) if isinstance(parsed, IPv6Address) else None
    return any(parsed in network or (wrapped is not None and wrapped in network) for network in networks)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if any(address in network for network in _WRAPPING):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    wrapped = _wrapped(address)
    if wrapped is not None:
        return _is_public_v4(wrapped)
    return address in _UNICAST and not any(address in network for network in _NOT_PUBLIC_V6)
