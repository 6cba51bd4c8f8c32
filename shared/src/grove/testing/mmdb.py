"""Writes small databases of places in MaxMind's format (MaxMind DB specification 2.0), IPv4 and IPv6."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"
EXTENDED = 7
SIZES = {"build_epoch": (9, 8), "node_count": (6, 4)}
"""Type and bytes of the metadata's numbers; the others are 16 bits."""


def write(path: Path, places: dict[str, dict[str, Any]]) -> None:
    """A database of networks → records, put in the place of the one at `path`."""
    tree: list[list[Any]] = [[None, None]]
    for network, record in places.items():
        _insert(tree, ipaddress.ip_network(network), record)
    data = bytearray()
    pairs = [_pointer(side, len(tree), data) for node in tree for side in node]
    numbers = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1,
        "ip_version": 6,
        "node_count": len(tree),
        "record_size": 24,
    }
    metadata: dict[str, Any] = {name: _Number(*SIZES.get(name, (5, 2)), number) for name, number in numbers.items()}
    metadata |= {"database_type": "Test-City", "languages": ["en"], "description": {"en": "for tests"}}
    new = path.with_suffix(".new")
    new.write_bytes(
        b"".join(pair.to_bytes(3, "big") for pair in pairs) + bytes(16) + data + MARKER + _encoded(metadata)
    )
    new.replace(path)


def city(country: str, name: str | None = None) -> dict[str, Any]:
    """A record as in a City database; without a name as in a Country database."""
    return {"country": {"iso_code": country}} | ({"city": {"names": {"en": name}}} if name else {})


@dataclass(frozen=True)
class _Number:
    kind: int
    size: int
    number: int


def _insert(tree: list[list[Any]], network: Any, record: dict[str, Any]) -> None:
    """IPv4 is in ::/96, as readers expect it."""
    length = network.prefixlen + (96 if network.version == 4 else 0)
    address = int(network.network_address)
    bits = [address >> (127 - place) & 1 for place in range(length)]
    node = 0
    for bit in bits[:-1]:
        if tree[node][bit] is None:
            tree.append([None, None])
            tree[node][bit] = len(tree) - 1
        node = tree[node][bit]
    tree[node][bits[-1]] = record


def _pointer(side: Any, nodes: int, data: bytearray) -> int:
    """Another node's number, or where the record is behind the tree; `nodes` for nothing."""
    if side is None:
        return nodes
    if isinstance(side, int):
        return side
    data += (record := _encoded(side))
    return nodes + 16 + len(data) - len(record)


def _encoded(value: Any) -> bytes:
    if isinstance(value, str):
        return _control(2, len(value.encode())) + value.encode()
    if isinstance(value, _Number):
        return _control(value.kind, value.size) + value.number.to_bytes(value.size, "big")
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(_encoded, value))
    return _control(7, len(value)) + b"".join(_encoded(key) + _encoded(item) for key, item in value.items())


def _control(kind: int, size: int) -> bytes:
    """Type and size; sizes from 29 on take a byte of their own."""
    shown, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    if kind <= EXTENDED:
        return bytes([kind << 5 | shown]) + more
    return bytes([shown, kind - EXTENDED]) + more
