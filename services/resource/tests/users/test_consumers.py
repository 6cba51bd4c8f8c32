"""auth's facts, in any order."""

import pytest
from sqlalchemy import select

from grove.contracts.auth import UserRegistered, UserUpdated
from grove.contracts.event import Envelope
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.event import outbox_event
from grove_resource.consumers import handlers
from grove_resource.models import User

pytestmark = pytest.mark.integration
USER = new_id()
REGISTERED = UserRegistered(
    user_id=USER, email="a@example.com", name="Ada", locale="en", timezone="UTC", roles=["user"], registered_at=now()
)
MOVED = UserUpdated(user_id=USER, locale="de", timezone="Europe/Berlin", roles=["user"])


@pytest.mark.parametrize("order", [[(REGISTERED, 1), (MOVED, 3)], [(MOVED, 3), (REGISTERED, 1)]])
async def test_the_newer_fact_stays_whatever_comes_first(resources, order):
    for data, sequence in order:
        work = handlers(resources).parse(outbox_event("auth", data, sequence=sequence).body)
        assert isinstance(work.received.envelope, Envelope)
        assert await resources.inbox.apply([work]) == [work]
        assert await resources.inbox.apply([work]) == []
    async with resources.sessions() as session:
        user = await session.scalar(select(User).where(User.id == USER))
    assert (user.locale, user.timezone, user.sequence) == ("de", "Europe/Berlin", 3)
