"""Challenges: random, for one purpose and one user, answered once within five minutes."""

import secrets
from datetime import timedelta
from uuid import UUID

from grove.core.clock import now
from grove_auth.models import PasskeyChallenge
from grove_auth.models.passkey import Purpose
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.passkeys.repository import ChallengeRepository

LIFETIME = timedelta(minutes=5)


class Challenges:
    """Gives challenges out and takes them back."""

    def __init__(self) -> None:
        self._challenges = ChallengeRepository()

    async def new(self, purpose: Purpose, user_id: UUID | None = None) -> tuple[str, bytes]:
        """The id to come back with, and what has to be signed."""
        challenge_id, challenge = new_token(), secrets.token_bytes(32)
        await self._challenges.insert(
            PasskeyChallenge(
                id=token_hash(challenge_id),
                challenge=challenge,
                purpose=purpose,
                user_id=user_id,
                expires_at=now() + LIFETIME,
            )
        )
        return challenge_id, challenge

    async def use_up(self, challenge_id: str, purpose: Purpose, user_id: UUID | None = None) -> bytes | None:
        """What had to be signed; None when there is none for this purpose and user, or it was answered before."""
        found = await self._challenges.get(token_hash(challenge_id))
        if found is None or (found.purpose, found.user_id) != (purpose, user_id) or found.expires_at <= now():
            return None
        return found.challenge if await self._challenges.use_up(found) else None
