"""Rotation of signing keys: planned, so that no valid token is refused meanwhile; or at once, after a breach."""

from datetime import datetime, timedelta

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove.core.errors import Conflict
from grove.core.recurring import every
from grove.mongo.client import MONGO_ERRORS
from grove_auth.keys.repository import SigningKeyRepository
from grove_auth.models import SigningKey
from grove_auth.resources import Resources

log = structlog.get_logger()

LOOK_SECONDS = 30
MARGIN = timedelta(minutes=1)
"""Clocks differ, and replicas look at the keys now and then: an old key stays so much longer."""


class KeyRotation:
    """Makes new keys, and removes old ones when no living token needs them."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._keys = SigningKeyRepository()

    async def rotate(self) -> list[SigningKey]:
        """A new key is published now and signs when every service has it, or can have it. Raises Conflict.

        All keys, newest first. The old ones stay until the last token they signed is dead.
        """
        moment = now()
        signs_from = moment + timedelta(seconds=self._settings.signing_key_lead_seconds)
        tokens_live = timedelta(minutes=self._settings.access_token_minutes)

        async def store(transaction: AsyncClientSession) -> None:
            for key in await self._keys.all(transaction):
                if key.signs_from > moment:
                    raise Conflict(f"A rotation is under way: its key signs from {key.signs_from:%H:%M:%S} UTC on.")
                if key.retires_at is None:
                    await self._keys.retire(key, signs_from + tokens_live + MARGIN, transaction)
            await self._add(signs_from, transaction)

        await self._resources.transaction(store)
        return await self._looked_at_anew()

    async def revoke(self) -> list[SigningKey]:
        """A new key signs at once, the ones so far are gone, and their tokens die; sessions live and can refresh.

        A service that meets the new key's tokens before it heard of it asks for the keys.
        """

        async def store(transaction: AsyncClientSession) -> None:
            for key in await self._keys.all(transaction):
                await self._keys.delete(key, transaction)
                await self._resources.revocations.add(transaction, "signing_key", key.id)
                await self._resources.audit.add("signing_key.revoked", key.id, transaction)
            await self._add(now(), transaction)

        await self._resources.transaction(store)
        return await self._looked_at_anew()

    async def run(self) -> None:
        """Remove old keys when their time has come, until cancelled."""
        await every(LOOK_SECONDS, self._remove_due, away=MONGO_ERRORS)

    async def _remove_due(self) -> None:
        await self.remove_old(now())

    async def remove_old(self, moment: datetime) -> None:
        """Remove the keys whose last token is dead by then."""
        for key in await self._keys.all():
            if key.retires_at is not None and key.retires_at <= moment:
                await self._remove(key)

    async def _remove(self, key: SigningKey) -> None:
        async def store(transaction: AsyncClientSession) -> None:
            if await self._keys.delete(key, transaction):
                await self._resources.audit.add("signing_key.removed", key.id, transaction)

        await self._resources.transaction(store)
        log.info("signing_key.removed", key_id=key.id)

    async def _add(self, signs_from: datetime, transaction: AsyncClientSession) -> None:
        key = self._resources.keys.new_key(signs_from)
        await self._keys.insert(key, transaction)
        await self._resources.audit.add("signing_key.created", key.id, transaction)

    async def _looked_at_anew(self) -> list[SigningKey]:
        self._resources.keys.forget()
        return await self._resources.keys.published()
