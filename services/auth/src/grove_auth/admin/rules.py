"""Who may act on whom. The pattern for rules that look at the resource, beside the permission that a route names.

A permission says what somebody may do at all, and is named once, at the route (`require("users:block")`). A rule
here says to whom, is asked by the service with the resource at hand, and raises what the client reads.
"""

from uuid import UUID

from grove_auth.admin.errors import AboveYou, NotYourself
from grove_auth.models import User

RANKS = {"user": 0, "moderator": 1, "admin": 2}


def rank(roles: frozenset[str]) -> int:
    """The highest rank among the roles; a role without one ranks like `user`."""
    return max((RANKS.get(role, 0) for role in roles), default=0)


def may_act_on(actor_id: UUID, actor_roles: frozenset[str], user: User) -> None:
    """Administrators act on everybody but themselves, others only on who ranks below them.

    Raises AboveYou or NotYourself.
    """
    if user.id == actor_id:
        raise NotYourself
    mine, theirs = rank(actor_roles), rank(frozenset(user.roles))
    if mine < RANKS["admin"] and theirs >= mine:
        raise AboveYou
