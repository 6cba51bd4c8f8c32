"""A passkey device in software, for tests: it makes ES256 credentials and signs with them as WebAuthn says.

Every part of an answer can be made wrong, by the attributes of the device and the arguments of its methods.
"""

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, CAN_BE_COPIED, COPIED, NEW = 0x01, 0x04, 0x08, 0x10, 0x40


def text(data: bytes) -> str:
    """Base64url."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def octets(encoded: str) -> bytes:
    """What base64url stands for."""
    return urlsafe_b64decode(encoded + "==")


@dataclass
class Authenticator:
    """A device with one credential. `counter` rises with each signature, unless it is `counting` no uses at all."""

    origin: str = "https://localhost:8443"
    flags: int = PRESENT | VERIFIED
    counting: bool = True
    counter: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    user_handle: bytes = b""

    def create(self, options: dict[str, Any], *, rp_id: str | None = None, **client_data: Any) -> dict[str, Any]:
        """The answer of `navigator.credentials.create()`; `client_data` replaces fields of what the browser says."""
        self.user_handle = octets(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public_key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        named = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(public_key)
        data = self._data(rp_id or options["rp"]["id"], NEW) + named
        said = self._said("webauthn.create", options, client_data)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(clientDataJSON=said, attestationObject=attestation) | {"clientExtensionResults": {}}

    def get(self, options: dict[str, Any], *, rp_id: str | None = None, **client_data: Any) -> dict[str, Any]:
        """The answer of `navigator.credentials.get()`."""
        data = self._data(rp_id or options["rpId"])
        said = self._said("webauthn.get", options, client_data)
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            clientDataJSON=said, authenticatorData=data, signature=signature, userHandle=self.user_handle
        )

    def _data(self, rp_id: str, more_flags: int = 0) -> bytes:
        self.counter += self.counting
        flags = self.flags | more_flags
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _said(self, kind: str, options: dict[str, Any], changes: dict[str, Any]) -> bytes:
        usual = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(usual | changes).encode()

    def _answer(self, **response: bytes) -> dict[str, Any]:
        name = text(self.credential_id)
        encoded = {part: text(value) for part, value in response.items() if value}
        return {"id": name, "rawId": name, "type": "public-key", "response": encoded}
