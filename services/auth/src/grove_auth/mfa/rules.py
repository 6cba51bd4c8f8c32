"""What second factors are worth, how long their codes live, and who must have one."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from grove_auth.models import User

Proof = Literal["totp", "sms", "email", "backup_code"]
AMR: dict[Proof, str] = {"totp": "otp", "sms": "sms", "email": "otp", "backup_code": "otp"}
"""How a session says what was proven (RFC 8176)."""

TOKEN_LIVES = timedelta(minutes=10)
CODE_LIVES = timedelta(minutes=10)
TRIES = 5
"""Of an mfa_token, and of a code that was sent."""
SENDS = 3
"""Codes that one sign-in, session or enrolment can have sent."""

IN_A_ROW = 10
LAST_TRY = 100
FIRST_LOCK = timedelta(hours=1)
UNTIL_RECOVERY = datetime(9999, 1, 1, tzinfo=UTC)


def locked_until(failures: int, moment: datetime) -> datetime | None:
    """Until when the second factor rests after so many wrong ones in a row; None: it does not.

    Ten rest an hour, the next ten two, and so on; at a hundred (NIST SP 800-63B-4 section 3.2.2) only a recovery or
    an administrator helps.
    """
    if failures % IN_A_ROW:
        return None
    return moment + FIRST_LOCK * 2 ** (failures // IN_A_ROW - 1) if failures < LAST_TRY else UNTIL_RECOVERY


def must_have(user: User, roles: Iterable[str]) -> bool:
    """Whether one of the user's roles is among those that need a second factor."""
    return not set(user.roles).isdisjoint(roles)


def must_enrol(user: User, roles: Iterable[str]) -> bool:
    """Whether the user needs a second factor and has none."""
    return not user.second_factors and must_have(user, roles)
