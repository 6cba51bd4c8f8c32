"""What API keys look like: `grv_`, 256 random bits, and a checksum that tells a mistyped key without asking anybody."""

import hashlib
import secrets
import string
import zlib

PREFIX = "grv_"
HINT_CHARS = len(PREFIX) + 6
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_CHARS = 43  # 62 ** 43 > 2 ** 256
_CHECK_CHARS = 6  # 62 ** 6 > 2 ** 32
LENGTH = len(PREFIX) + _RANDOM_CHARS + _CHECK_CHARS


def new_secret() -> str:
    """A new key: letters and digits only, so that a double click selects it whole."""
    begin = PREFIX + _base62(secrets.randbits(256), _RANDOM_CHARS)
    return begin + _checksum(begin)


def is_api_key(token: str) -> bool:
    """Whether a bearer token means to be an API key."""
    return token.startswith(PREFIX)


def well_formed(secret: str) -> bool:
    """Whether the checksum holds. It proves nothing, it only spares looking up what can't be a key."""
    if len(secret) != LENGTH or not secret.isascii() or not is_api_key(secret):
        return False
    return secret[-_CHECK_CHARS:] == _checksum(secret[:-_CHECK_CHARS])


def secret_hash(secret: str) -> bytes:
    """What is stored and asked for. A 256-bit random value needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def hint_of(secret: str) -> str:
    """Its first characters, by which people recognise it."""
    return secret[:HINT_CHARS]


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECK_CHARS)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
