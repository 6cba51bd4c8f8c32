"""Backup codes: ten, for the day that the device is away. Hashed as passwords are, since people can type them.

The ten share a salt, so that one hash tells which it is.
"""

import secrets

from argon2.low_level import Type, hash_secret_raw

from grove_auth.settings import AuthSettings

ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"  # pragma: allowlist secret
"""Without what people mistake for something else; almost five bits each."""
LENGTH = 12
GROUP = 4
COUNT = 10


def new_codes() -> list[str]:
    """Ten codes of 58 bits, in groups to read."""
    return ["-".join(_letters(GROUP) for _ in range(LENGTH // GROUP)) for _ in range(COUNT)]


def new_salt() -> bytes:
    """For the ten."""
    return secrets.token_bytes(16)


def hashed(code: str, salt: bytes, settings: AuthSettings) -> bytes:
    """What is stored: Argon2id. Slow: run it in the password pool."""
    return hash_secret_raw(
        plain(code).encode(),
        salt,
        time_cost=settings.argon2_iterations,
        memory_cost=settings.argon2_memory_kib,
        parallelism=1,
        hash_len=32,
        type=Type.ID,
    )


def plain(code: str) -> str:
    """The code as it was made, however it was typed."""
    return "".join(char for char in code.lower() if char.isalnum())


def _letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))
