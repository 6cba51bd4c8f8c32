"""Signatures of Standard Webhooks: `v1` by a shared secret, `v1a` by the private half of a pair.

Of a pair the user gets the public half only: nobody but Grove can sign.
"""

import base64
import hmac
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from grove_notification.webhooks.errors import TooManyOverlaps

Signature = Literal["v1", "v1a"]
SIGNATURES: tuple[str, ...] = get_args(Signature)
MAX_FORMER = 4
"""Former secrets that sign beside the present one at most."""

_SHARED, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Former:
    """A secret that was rotated away, and still signs until a moment."""

    secret: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Keys:
    """What an endpoint's messages are signed with."""

    secret: str
    former: tuple[Former, ...] = ()

    @classmethod
    def new(cls, signature: str) -> "Keys":
        """A first secret."""
        prefix = _SHARED if signature == "v1" else _PRIVATE
        return cls(prefix + base64.b64encode(os.urandom(_BYTES)).decode())

    @classmethod
    def loads(cls, text: str) -> "Keys":
        """What `dumps` gave."""
        stored = json.loads(text)
        former = (Former(each["secret"], datetime.fromisoformat(each["until"])) for each in stored["former"])
        return cls(stored["secret"], tuple(former))

    def dumps(self) -> str:
        """As text, to be sealed."""
        former = [{"secret": each.secret, "until": each.until.isoformat()} for each in self.former]
        return json.dumps({"secret": self.secret, "former": former})

    def rotated(self, moment: datetime, overlap: timedelta) -> "Keys":
        """With a new secret; the present one signs beside it for `overlap`. Without one, every former secret ends.

        Raises TooManyOverlaps.
        """
        new = Keys.new("v1" if self.secret.startswith(_SHARED) else "v1a")
        if not overlap:
            return new
        living = [each for each in self.former if each.until > moment]
        if len(living) >= MAX_FORMER:
            raise TooManyOverlaps(MAX_FORMER)
        return Keys(new.secret, (Former(self.secret, moment + overlap), *living))

    def signing(self, moment: datetime) -> list[str]:
        """The secrets that sign at that moment, the present one first."""
        return [self.secret, *(each.secret for each in self.former if each.until > moment)]

    @property
    def shown(self) -> str | None:
        """What the user is told once: a shared secret, nothing of a private key."""
        return self.secret if self.secret.startswith(_SHARED) else None

    @property
    def public_key(self) -> str | None:
        """What `v1a` signatures are checked with."""
        if self.secret.startswith(_SHARED):
            return None
        public = _private(self.secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return _PUBLIC + base64.b64encode(public).decode()


def headers(secrets: Iterable[str], message_id: str, moment: datetime, body: str) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` and `webhook-signature`, which has one signature of each secret."""
    timestamp = str(int(moment.timestamp()))
    signed = f"{message_id}.{timestamp}.{body}".encode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    if secret.startswith(_PRIVATE):
        return "v1a," + base64.b64encode(_private(secret).sign(signed)).decode()
    key = base64.b64decode(secret.removeprefix(_SHARED))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def _private(secret: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret.removeprefix(_PRIVATE)))
