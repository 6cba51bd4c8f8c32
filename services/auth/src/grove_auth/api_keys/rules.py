"""Which keys there may be, and whether one is alive."""

from datetime import datetime, timedelta

from grove_auth.models import ApiKey, User
from grove_auth.roles.permissions import scopes_of

MOST = 20
"""Living keys of one user."""
USED_EVERY = timedelta(minutes=5)
"""How coarsely the last use is kept."""
TRUSTED_FOR = timedelta(hours=1)
"""A stream that was opened with a key ends by then. Not more than the shortest overlap of a rotation, so that none
that was opened before it outlives the old secret."""


def grantable(user: User) -> frozenset[str]:
    """The scopes that a key of the user may have: the user's own, never permissions that come with roles."""
    return scopes_of(user.roles)


def alive(key: ApiKey, user: User, global_version: int, moment: datetime) -> bool:
    """Whether the key counts: not expired, and not made before its user's or all tokens were revoked."""
    expired = key.expires_at is not None and key.expires_at <= moment
    blocked = user.blocked_until is not None and user.blocked_until > moment
    current = key.version >= user.token_version and key.global_version >= global_version
    return current and not expired and not blocked


def end_of(key: ApiKey, secret_id: str, moment: datetime) -> datetime | None:
    """Until when to trust that secret of the key; None when it does not work any more."""
    if secret_id not in {key.secret_id, key.old_secret_id}:
        return None
    ends = [moment + TRUSTED_FOR, key.expires_at, key.old_until if secret_id == key.old_secret_id else None]
    end = min(end for end in ends if end is not None)
    return end if end > moment else None
