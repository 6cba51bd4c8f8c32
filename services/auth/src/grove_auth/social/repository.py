"""Queries on sign-ins under way. Each is used by whoever deletes it; TTL sweeps are late, so expiry is checked too."""

from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.models import OAuthCode, OAuthFlow


class SocialRepository:
    """Flows and codes."""

    async def add_flow(self, flow: OAuthFlow) -> None:
        """A browser goes to a provider."""
        await flow.insert()

    async def flow(self, state_hash: bytes) -> OAuthFlow | None:
        """The flow of a state."""
        found = await OAuthFlow.get(state_hash)
        return found if found and found.expires_at > now() else None

    async def name(self, state_hash: bytes, provider: str, name: str) -> None:
        """Remember what the provider calls the person."""
        await OAuthFlow.get_pymongo_collection().update_one(
            {"_id": state_hash, "provider": provider}, {"$set": {"name": name}}
        )

    async def take_flow(self, flow: OAuthFlow) -> bool:
        """Use it up; False when it was used before."""
        gone = await OAuthFlow.get_pymongo_collection().delete_one({"_id": flow.id})
        return gone.deleted_count == 1

    async def add_code(self, code: OAuthCode) -> None:
        """A code for the app."""
        await code.insert()

    async def code(self, code_hash: bytes) -> OAuthCode | None:
        """What a code for tokens stands for."""
        found = await OAuthCode.get(code_hash)
        return found if found and found.session_id is None and found.expires_at > now() else None

    async def take_code(self, code: OAuthCode, challenge: str | None) -> bool:
        """Use it up; False when it was used before, or belongs to another challenge."""
        gone = await OAuthCode.get_pymongo_collection().delete_one({"_id": code.id, "code_challenge": challenge})
        return gone.deleted_count == 1

    async def take_proof(self, code_hash: bytes, user_id: UUID, session_id: str) -> bool:
        """Use up a code that proves to a session who its user is; False when it does not."""
        gone = await OAuthCode.get_pymongo_collection().delete_one(
            {"_id": code_hash, "user_id": user_id, "session_id": session_id, "expires_at": {"$gt": now()}}
        )
        return gone.deleted_count == 1

    async def forget_codes(self, user_id: UUID, provider: str, transaction: AsyncClientSession) -> None:
        """No code of that provider works any more for the user."""
        await OAuthCode.get_pymongo_collection().delete_many(
            {"user_id": user_id, "provider": provider}, session=transaction
        )
