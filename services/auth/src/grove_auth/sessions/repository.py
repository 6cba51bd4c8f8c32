"""Queries on sessions. Changes that race are single compare-and-set updates with flat filters."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.models import Session, SpentToken


class SessionRepository:
    """Sessions and spent tokens."""

    async def insert(self, session: Session, transaction: AsyncClientSession) -> None:
        """A new session."""
        await session.insert(session=transaction)

    async def get(self, session_id: str, transaction: AsyncClientSession) -> Session | None:
        """By id, as the transaction sees it."""
        return await Session.get(session_id, session=transaction)

    async def of_user(self, user_id: UUID, transaction: AsyncClientSession | None = None) -> list[Session]:
        """The user's sessions, newest first."""
        return await Session.find({"user_id": user_id}, session=transaction).sort("-created_at").to_list()

    async def authenticated(
        self, session_id: str, moment: datetime, amr: Sequence[str], transaction: AsyncClientSession
    ) -> Session | None:
        """Its user proved again who they are; None when it has ended."""
        await Session.get_pymongo_collection().update_one(
            {"_id": session_id}, {"$set": {"auth_time": moment, "amr": list(amr)}}, session=transaction
        )
        return await Session.get(session_id, session=transaction)

    async def by_refresh_hash(self, refresh_hash: bytes) -> Session | None:
        """The session whose newest refresh token this is."""
        return await Session.find_one({"refresh_hash": refresh_hash})

    async def by_parent_hash(self, parent_hash: bytes) -> Session | None:
        """The session whose refresh token before the newest this is."""
        return await Session.find_one({"parent_hash": parent_hash})

    async def spent(self, refresh_hash: bytes) -> SpentToken | None:
        """The record of a rotated token."""
        return await SpentToken.get(refresh_hash)

    async def rotate(
        self,
        session: Session,
        *,
        new_hash: bytes,
        replay: bytes | None,
        moment: datetime,
        transaction: AsyncClientSession,
    ) -> bool:
        """Swap the refresh token and store `expires_at`; False when another request or a revocation was first."""
        swapped = await Session.get_pymongo_collection().update_one(
            {"_id": session.id, "refresh_hash": session.refresh_hash},
            {
                "$set": {
                    "refresh_hash": new_hash,
                    "parent_hash": session.refresh_hash,
                    "replay": replay,
                    "replays": 0,
                    "rotated_at": moment,
                    "last_active_at": moment,
                    "expires_at": session.expires_at,
                }
            },
            session=transaction,
        )
        if swapped.modified_count != 1:
            return False
        await SpentToken(id=session.refresh_hash, session_id=session.id, expires_at=session.ends_at).insert(
            session=transaction
        )
        return True

    async def count_replay(self, session: Session, parent_hash: bytes, limit: int) -> bool:
        """Use up one of the grace window's answers; False when none is left or the session moved on."""
        counted = await Session.get_pymongo_collection().update_one(
            {"_id": session.id, "parent_hash": parent_hash, "replays": {"$lt": limit}},
            {"$inc": {"replays": 1}},
        )
        return counted.modified_count == 1

    async def delete(self, session: Session, transaction: AsyncClientSession) -> bool:
        """End it; False when it was ended before."""
        gone = await Session.get_pymongo_collection().delete_one({"_id": session.id}, session=transaction)
        return gone.deleted_count == 1
