"""Whether a token still counts, asked of the store itself: auth needs no feed."""

from uuid import UUID

from grove.security.principal import Principal
from grove_auth.models import Session, User


async def is_active(user_id: UUID, session_id: str, version: int) -> bool:
    """Whether the session exists and the token's version is not below the user's."""
    session = await Session.get(session_id)
    if session is None or session.user_id != user_id:
        return False
    user = await User.get(user_id)
    return user is not None and version >= user.token_version


class SessionGate:
    """The gate of auth's own routes."""

    async def admits(self, principal: Principal) -> bool:
        """False when revoked."""
        return await is_active(principal.user_id, principal.session_id, principal.version)
