"""Field encryption: AES-256-GCM with key versions and associated data; and keyed hashes of what is too short to hide.

A key ring is text, one key a line: `<version>:<base64 of 32 bytes>`, the newest first. New values are sealed
with the first key; values sealed with any key of the ring can be opened, so keys rotate without downtime.
"""

import base64
import hmac
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class DecryptionFailed(Exception):
    """The value was sealed under another key or for another purpose, or was changed."""


class FieldCipher:
    """Seals and opens text. `ring` is read at each use, so a rotated key file needs no restart."""

    def __init__(self, ring: Callable[[], str]) -> None:
        self._ring = ring

    def seal(self, text: str, *, purpose: str) -> str:
        """`<version>.<base64url of nonce and ciphertext>`. `purpose` is bound in as associated data."""
        version, key = next(iter(self._keys().items()))
        nonce = os.urandom(12)
        sealed = AESGCM(key).encrypt(nonce, text.encode(), _associated(version, purpose))
        return f"{version}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, purpose: str) -> str:
        """The text. Raises DecryptionFailed."""
        version, _, body = sealed.partition(".")
        key = self._keys().get(version)
        if key is None:
            raise DecryptionFailed(f"no key of version {version!r} in the ring")
        try:
            raw = base64.urlsafe_b64decode(body)
            return AESGCM(key).decrypt(raw[:12], raw[12:], _associated(version, purpose)).decode()
        except (InvalidTag, ValueError):
            raise DecryptionFailed("the value does not open with its key and purpose") from None

    def mac(self, text: str, *, purpose: str) -> bytes:
        """HMAC-SHA-256 under the newest key: who has the result but not the key can't try out short texts."""
        version, key = next(iter(self._keys().items()))
        return _mac(key, _associated(version, purpose), text)

    def macs(self, text: str, *, purpose: str) -> list[bytes]:
        """The same under every key of the ring: what `mac` made before the keys were rotated is among them."""
        return [_mac(key, _associated(version, purpose), text) for version, key in self._keys().items()]

    def is_mac(self, mac: bytes, text: str, *, purpose: str) -> bool:
        """Whether it was made from the text, for that purpose, under a key of the ring."""
        return any(hmac.compare_digest(mac, one) for one in self.macs(text, purpose=purpose))

    def is_current(self, sealed: str) -> bool:
        """Whether the value is sealed with the newest key."""
        return sealed.partition(".")[0] == next(iter(self._keys()))

    def _keys(self) -> dict[str, bytes]:
        keys: dict[str, bytes] = {}
        for line in self._ring().splitlines():
            version, _, text = line.strip().partition(":")
            key = base64.b64decode(text)
            if len(key) != 32:
                raise ValueError(f"Encryption key {version!r} is not 32 bytes. Make one with `grove config key`.")
            if version in keys:
                raise ValueError(f"The key ring has two keys named {version!r}. A new key needs a name of its own.")
            keys[version] = key
        return keys


def _mac(key: bytes, associated: bytes, text: str) -> bytes:
    own = hmac.digest(key, b"mac|" + associated, "sha256")  # a key is for one thing: the ring's own encrypts
    return hmac.digest(own, text.encode(), "sha256")


def new_key(version: str) -> str:
    """A new line for a key ring."""
    return f"{version}:{base64.b64encode(os.urandom(32)).decode()}"


def _associated(version: str, purpose: str) -> bytes:
    return f"grove|{version}|{purpose}".encode()
