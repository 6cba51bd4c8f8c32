"""How an account can be opened. Who takes a way away asks here afterwards, so that the last one stays."""

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.errors import InvalidState
from grove_auth.identities.repository import IdentityRepository
from grove_auth.models import User
from grove_auth.passkeys.repository import PasskeyRepository


class LastWayIn(InvalidState):
    """400: nothing else opens the account."""

    message = "This is the only way into your account. Set a password, add a passkey or link a provider first."


async def keep_one_way_in(user: User, transaction: AsyncClientSession) -> None:
    """Raises LastWayIn when neither password nor identity nor passkey is left, as the transaction sees them.

    Write to the account in the same transaction before (`UserRepository.held`): of two requests that each take one of
    two ways away, the second then sees what the first left.
    """
    if user.password_hash is not None or await IdentityRepository().count(user.id, transaction):
        return
    if not await PasskeyRepository().of_user(user.id, transaction):
        raise LastWayIn
