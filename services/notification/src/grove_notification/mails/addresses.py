"""Addresses as they may be kept beside a sealed mail: hidden in part, and as a hash that finds them."""

from collections.abc import Sequence

from grove.security.encryption import FieldCipher

_PURPOSE = "address"


def masked(address: str) -> str:
    """As much as tells a person whose it is: `a•••@example.com`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"[:254]


def address_mac(cipher: FieldCipher, address: str) -> bytes:
    """What an address is found by."""
    return cipher.mac(address.lower(), purpose=_PURPOSE)


def address_macs(cipher: FieldCipher, address: str) -> Sequence[bytes]:
    """The same under every key of the ring, for looking."""
    return cipher.macs(address.lower(), purpose=_PURPOSE)
