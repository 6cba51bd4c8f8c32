"""The answer to a breach: all tokens, sessions and API keys end at once."""

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.resources import Resources

log = structlog.get_logger()


class TokenVersionService:
    """Raises the global token version."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def increase(self) -> int:
        """End everything that was given out before; the new version.

        Nothing needs to be looked for: tokens, sessions and keys bear the version they were made under. A sign-in that
        read the version before this commits gives out what is dead already.
        """

        async def store(transaction: AsyncClientSession) -> int:
            version = await self._resources.token_versions.increase(transaction)
            await self._resources.revocations.add(transaction, "global", "", minimum=version)
            await self._resources.audit.add("token_version.raised", None, transaction, version=str(version))
            return version

        version = await self._resources.transaction(store)
        await self._resources.token_versions.current()
        log.warning("token_version.raised", version=version)
        return version
