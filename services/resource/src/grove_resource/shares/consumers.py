"""auth's facts about addresses → shares that wait for them."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from grove.messaging.handlers import Handler, Received
from grove.outbox.postgres import Outbox
from grove_resource.settings import ResourceSettings
from grove_resource.shares.repository import ShareRepository
from grove_resource.shares.service import ShareBinding


def with_shares(handler: Handler) -> Handler:
    """The handler of a fact about a user, and then the shares for the address that they got or gave up by it."""

    async def handle(session: AsyncSession, event: Received[Any]) -> None:
        shares, user_id = ShareRepository(session), event.data.user_id
        before = await shares.address_of(user_id)
        await handler(session, event)
        after = await shares.address_of(user_id)
        if before != after:
            outbox = Outbox(session, ResourceSettings.service)
            await ShareBinding(shares, outbox).settle({email for email in (before, after) if email})

    return handle
