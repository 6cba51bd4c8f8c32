"""Who may act on whom. The pattern for rules that look at the resource, beside the permission that a route names.

A permission says what somebody may do at all, and is named once, at the route (`require("users:block")`). A rule
here says to whom, is asked by the service with the resource at hand, and raises what the client reads.
"""

from collections.abc import Collection, Mapping
from uuid import UUID

from grove_auth.admin.errors import AboveYou, NotYourself
from grove_auth.models import User
from grove_auth.roles.permissions import ADMIN_RANK


def rank(roles: Collection[str], ranks: Mapping[str, int]) -> int:
    """The highest rank among the roles; a role that is gone ranks like `user`."""
    return max((ranks.get(role, 0) for role in roles), default=0)


def may_act_on(actor_id: UUID, actor_roles: Collection[str], user: User, ranks: Mapping[str, int]) -> None:
    """Administrators act on everybody but themselves, others only on who ranks below them.

    `ranks`: of each role (`resources.roles.ranks()`). Raises AboveYou or NotYourself.
    """
    if user.id == actor_id:
        raise NotYourself
    mine, theirs = rank(actor_roles, ranks), rank(user.roles, ranks)
    if mine < ADMIN_RANK and theirs >= mine:
        raise AboveYou
