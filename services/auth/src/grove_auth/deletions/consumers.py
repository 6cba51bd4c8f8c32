"""What the services say about erasures → deleted_users."""

from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.messaging.handlers import Received
from grove_auth.deletions.repository import DeletionRepository


async def on_erased(session: AsyncClientSession, event: Received[Any]) -> None:
    """A service has nothing of the user any more."""
    await DeletionRepository().erased_by(event.data.user_id, event.envelope.service, session)
