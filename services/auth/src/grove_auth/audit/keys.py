"""The keys that sign the audit log's seals (Ed25519, RFC 8032): a key ring, whose newest key signs."""

import base64
import binascii
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class AuditKeys:
    """Signs, and gives the public keys out. `ring` is read at each use, so a rotated key file needs no restart."""

    def __init__(self, ring: Callable[[], str]) -> None:
        self._ring = ring

    def newest(self) -> str:
        """The name of the key that signs."""
        return next(iter(self._keys()))

    def sign(self, key: str, text: bytes) -> str:
        """Base64 of the signature."""
        return base64.b64encode(self._keys()[key].sign(text)).decode()

    def public(self) -> dict[str, str]:
        """Name → public key, base64 of its 32 bytes."""
        return {
            name: base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
            for name, key in self._keys().items()
        }

    def _keys(self) -> dict[str, Ed25519PrivateKey]:
        lines = (line.strip().partition(":") for line in self._ring().splitlines())
        return {name: Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed)) for name, _, seed in lines}


def signed_by(public: Mapping[str, str], key: str, signature: str, text: bytes) -> bool:
    """Whether the key of that name, one of `public`, signed the text."""
    if key not in public:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public[key])).verify(base64.b64decode(signature), text)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
