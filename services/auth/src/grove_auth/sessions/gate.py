"""Whether a token still counts, asked of the store itself: auth needs no feed."""

from grove.messaging.revocation import TokenQuestion
from grove.security.principal import Principal
from grove_auth.api_keys.bearers import KeyBearers
from grove_auth.keys.service import KeyService
from grove_auth.models import Session, User
from grove_auth.token_versions.store import GlobalVersion


class SessionGate:
    """The gate of auth's own routes, and what the other services ask while they don't hear the feed."""

    def __init__(self, keys: KeyService, token_versions: GlobalVersion, key_bearers: KeyBearers) -> None:
        self._keys = keys
        self._token_versions = token_versions
        self._key_bearers = key_bearers

    async def admits(self, principal: Principal) -> bool:
        """False when revoked."""
        return await self.is_active(TokenQuestion.about(principal))

    async def is_active(self, question: TokenQuestion) -> bool:
        """Whether the API key is alive; or the token's session, its versions and the key that signed it."""
        if question.api_key_id:
            return await self._key_bearers.is_active(question.user_id, question.api_key_id, question.token_id)
        if question.global_version < await self._token_versions.minimum():
            return False
        if not await self._keys.is_published(question.signing_key_id):
            return False
        session = await Session.get(question.session_id)
        if session is None or session.user_id != question.user_id:
            return False
        user = await User.get(question.user_id)
        return user is not None and question.version >= user.token_version
