"""Access tokens written part by part, so that each part can be wrong. Most are signed with the right key."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from grove.core.ids import new_id
from grove.testing.tokens import AUDIENCE, ISSUER, Issuer

ISSUED = Issuer()
VERIFIER = ISSUED.verifier()
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": ISSUED.key.kid}


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def written(part: Any) -> str:
    """Bytes as they are, everything else as JSON."""
    return encoded(part if isinstance(part, bytes) else json.dumps(part).encode())


def claims(**changes: Any) -> dict[str, Any]:
    """Good ones, with changes; None leaves one out."""
    moment = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": [ISSUER, AUDIENCE],
        "sub": str(new_id()),
        "iat": moment,
        "exp": moment + 900,
        "jti": str(new_id()),
        "client_id": "test",
        "sid": str(new_id()),
        "auth_time": moment,
        "amr": ["pwd"],
        "roles": ["user"],
        "scope": "tasks:read",
        "ver": 1,
        "gver": 0,
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def der(signed: str, key: Any = None) -> bytes:
    """An ECDSA signature as ASN.1."""
    private = key or ISSUED.key.get_op_key("sign")
    signature: bytes = private.sign(signed.encode(), ec.ECDSA(SHA256()))
    return signature


def raw(signed: str, key: Any = None) -> bytes:
    """An ECDSA signature as JWS has it: r and s, 32 bytes each."""
    r, s = utils.decode_dss_signature(der(signed, key))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def signed_text(header: Any = None, payload: Any = None) -> str:
    """What a signature is over."""
    return f"{written(HEADER if header is None else header)}.{written(claims() if payload is None else payload)}"


def token(header: Any = None, payload: Any = None, key: Any = None) -> str:
    """Signed, by default with the right key."""
    text = signed_text(header, payload)
    return f"{text}.{encoded(raw(text, key))}"
