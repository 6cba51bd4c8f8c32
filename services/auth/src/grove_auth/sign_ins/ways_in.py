"""How an account can be opened. Who takes a way away asks here first, so that the last one stays."""

from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.identities.repository import IdentityRepository
from grove_auth.models import User


async def count_ways_in(user: User, transaction: AsyncClientSession) -> int:
    """Password and identities, as the transaction sees them.

    Write to the account in the same transaction before (`UserRepository.held`): of two requests that each take one of
    two ways away, the second then sees what the first left.
    """
    return (user.password_hash is not None) + await IdentityRepository().count(user.id, transaction)
