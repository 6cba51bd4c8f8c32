"""Password hashes made elsewhere: which of them are taken.

What a hash costs to check is written in the hash itself, and whoever signs in makes the server pay it. So the cost is
looked at before the hash is stored.
"""

import base64
import binascii
import re

from grove_auth.settings import AuthSettings

_ARGON2 = re.compile(
    r"\$argon2(?:i|id)\$(?:v=(?:16|19)\$)?m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,8})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")  # 128 bits end in .Oeu
_SALT_BYTES = range(8, 65)
_DIGEST_BYTES = range(16, 65)
_BCRYPT_LEAST = 4


def check(stored: str, settings: AuthSettings) -> str:
    """The hash as it is. Raises ValueError with what is wrong with its form or its cost."""
    argon2 = _ARGON2.fullmatch(stored)
    if argon2:
        memory, iterations, lanes = (int(number) for number in argon2.group(1, 2, 3))
        _within("memory in KiB", memory, 8 * lanes, settings.foreign_argon2_memory_kib)
        _within("number of iterations", iterations, 1, settings.foreign_argon2_iterations)
        _within("number of lanes", lanes, 1, settings.foreign_argon2_lanes)
        if _bytes(argon2.group(4)) not in _SALT_BYTES or _bytes(argon2.group(5)) not in _DIGEST_BYTES:
            raise ValueError("the Argon2 hash has a salt or a digest that can't be read")
        return stored
    bcrypt = _BCRYPT.fullmatch(stored)
    if bcrypt:
        _within("bcrypt cost", int(bcrypt.group(1)), _BCRYPT_LEAST, settings.foreign_bcrypt_cost)
        return stored
    raise ValueError("the hash must be Argon2i, Argon2id or bcrypt ($2a$, $2b$, $2y$) in its usual text form")


def _within(what: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise ValueError(f"the hash's {what} is {number}; from {least} to {most} is taken")


def _bytes(text: str) -> int:
    """How many bytes the unpadded base64 stands for; 0 when it is not in its one spelling."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return 0
    return len(decoded) if base64.b64encode(decoded).decode().rstrip("=") == text else 0
