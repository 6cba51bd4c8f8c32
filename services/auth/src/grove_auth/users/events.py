"""Account → contract event."""

from grove.contracts.auth import UserRegistered, UserUpdated
from grove_auth.models import User


def registered(user: User, *, greet: bool = True) -> UserRegistered:
    """The account exists from now on. `greet`: whether its user gets a welcome."""
    return UserRegistered(
        user_id=user.id,
        email=user.email,
        name=user.name,
        locale=user.locale,
        timezone=user.timezone,
        roles=user.roles,
        registered_at=user.created_at,
        greet=greet,
    )


def updated(user: User) -> UserUpdated:
    """What other services know of the account is another."""
    return UserUpdated(user_id=user.id, locale=user.locale, timezone=user.timezone, roles=user.roles)
