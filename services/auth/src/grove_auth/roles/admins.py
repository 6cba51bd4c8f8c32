"""That one administrator is always left, whatever happens at once."""

from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.roles.errors import LastAdmin
from grove_auth.roles.permissions import ADMIN
from grove_auth.roles.repository import RoleRepository


async def keep_one(transaction: AsyncClientSession) -> None:
    """Ask last in a transaction that took an administrator away. Raises LastAdmin when no other can sign in.

    Two such transactions at once touch the same role, so that the later one counts what the earlier one left.
    """
    roles = RoleRepository()
    await roles.touch(ADMIN, transaction)
    if not await roles.has_admin(transaction):
        raise LastAdmin
