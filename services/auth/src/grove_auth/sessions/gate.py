"""Whether tokens still count, asked of the store itself: auth needs no feed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from beanie import Document

from grove.messaging.revocation import TokenQuestion
from grove.security.principal import Principal
from grove_auth.api_keys.bearers import KeyBearers
from grove_auth.keys.service import KeyService
from grove_auth.models import Session, User
from grove_auth.token_versions.store import GlobalVersion

IN_ONE_LOOK = 50
"""Documents that are asked for by one list of ids: what a store takes for longer ones can rise with their square."""


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
        return (await self.are_active([question]))[0]

    async def are_active(self, questions: Sequence[TokenQuestion]) -> list[bool]:
        """The same of each, with as many looks into the store for IN_ONE_LOOK as for one."""
        found: list[bool] = []
        for start in range(0, len(questions), IN_ONE_LOOK):
            found += await self._look(questions[start : start + IN_ONE_LOOK])
        return found

    async def _look(self, questions: Sequence[TokenQuestion]) -> list[bool]:
        keys = [each for each in questions if each.api_key_id]
        tokens = [each for each in questions if not each.api_key_id and await self._may_count(each)]
        alive = await self._key_bearers.are_active([(each.user_id, each.api_key_id, each.token_id) for each in keys])
        found = {id(each): active for each, active in zip(keys, alive, strict=True)}
        owners = await _values(Session, {each.session_id for each in tokens}, "user_id")
        tokens = [each for each in tokens if owners.get(each.session_id) == each.user_id]
        versions = await _values(User, {each.user_id for each in tokens}, "token_version")
        found |= {id(each): each.user_id in versions and each.version >= versions[each.user_id] for each in tokens}
        return [found.get(id(each), False) for each in questions]

    async def _may_count(self, question: TokenQuestion) -> bool:
        """By what this process keeps for a moment."""
        if question.global_version < await self._token_versions.minimum():
            return False
        return await self._keys.is_published(question.signing_key_id)


async def _values(kind: type[Document], ids: Collection[UUID | str], name: str) -> Mapping[Any, Any]:
    """One field of each of these documents, by id."""
    if not ids:
        return {}
    found = kind.get_pymongo_collection().find({"_id": {"$in": list(ids)}}, {name: 1})
    return {document["_id"]: document[name] async for document in found}
