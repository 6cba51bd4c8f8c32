"""Envelope encryption: each value has a data key of its own, and only that is sealed under the ring.

Both layers are AES-256-GCM with associated data. A rotation of the ring seals the small data keys anew; what they
protect is neither decrypted nor rewritten.
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from grove.security.encryption import DecryptionFailed, FieldCipher

_NONCE = 12


class EnvelopeCipher:
    """Seals and opens text under the ring of `keys`.

    A sealed value is `<version>.<sealed data key>.<ciphertext>`, the latter two in base64url. Values that the ring
    sealed without an envelope are opened too.
    """

    def __init__(self, keys: FieldCipher) -> None:
        self._keys = keys

    def seal(self, text: str, *, purpose: str) -> str:
        """The text under a new data key. `purpose` is bound in as associated data of both layers."""
        key, nonce = os.urandom(32), os.urandom(_NONCE)
        body = nonce + AESGCM(key).encrypt(nonce, text.encode(), _associated(purpose))
        return f"{self._wrap(key, purpose)}.{base64.urlsafe_b64encode(body).decode()}"

    def open(self, sealed: str, *, purpose: str) -> str:
        """The text. Raises DecryptionFailed: another key, another purpose, or a changed value."""
        wrapped, body = _parts(sealed)
        if body is None:
            return self._keys.open(sealed, purpose=purpose)
        key = base64.b64decode(self._keys.open(wrapped, purpose=_wrapping(purpose)))
        try:
            raw = base64.urlsafe_b64decode(body)
            return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], _associated(purpose)).decode()
        except (InvalidTag, ValueError):
            raise DecryptionFailed("the value does not open with its data key and purpose") from None

    def rewrap(self, sealed: str, *, purpose: str) -> str:
        """The same value with its data key under the newest key of the ring. Raises DecryptionFailed."""
        wrapped, body = _parts(sealed)
        if body is None:
            return self.seal(self._keys.open(sealed, purpose=purpose), purpose=purpose)
        key = base64.b64decode(self._keys.open(wrapped, purpose=_wrapping(purpose)))
        return f"{self._wrap(key, purpose)}.{body}"

    def is_current(self, sealed: str) -> bool:
        """Whether the value is an envelope under the newest key."""
        return _parts(sealed)[1] is not None and self._keys.is_current(sealed)

    def _wrap(self, key: bytes, purpose: str) -> str:
        return self._keys.seal(base64.b64encode(key).decode(), purpose=_wrapping(purpose))


def _parts(sealed: str) -> tuple[str, str | None]:
    wrapped, dot, body = sealed.rpartition(".")
    return (wrapped, body) if dot and "." in wrapped else (sealed, None)


def _wrapping(purpose: str) -> str:
    return f"data-key:{purpose}"


def _associated(purpose: str) -> bytes:
    return f"grove|envelope|{purpose}".encode()
