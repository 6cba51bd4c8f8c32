"""A worker of the test of deaths: it applies events of one queue, and one of them ends the process at once."""

import asyncio
import os
import sys

from grove.contracts.auth import UserRegistered, UserUpdated
from grove.core.settings import load
from grove.messaging import intake
from grove.messaging.consumer import Consumer
from grove.messaging.handlers import Handlers
from grove.outbox.postgres import Outbox
from grove.service.postgres import PostgresResources, PostgresServiceSettings


class Settings(PostgresServiceSettings):
    service = "resource"


async def die(_session, _event) -> None:
    os._exit(137)  # as the kernel ends it for want of memory


async def tell(session, event) -> None:
    """An effect that can be counted."""
    changed = UserUpdated(user_id=event.data.user_id, locale="en", timezone="UTC", roles=[])
    await Outbox(session, "resource").add((changed, 1))


async def work(queue: str, prefetch: int) -> None:
    intake.SUSPECTED_AFTER = 1  # fewer deaths have to be waited for
    resources = PostgresResources(load(Settings))
    handlers = Handlers()
    handlers.add(UserUpdated, die)
    handlers.add(UserRegistered, tell)
    await Consumer("resource", queue, resources.broker, resources.inbox, handlers, prefetch=prefetch).run()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
