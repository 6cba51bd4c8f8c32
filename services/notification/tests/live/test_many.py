"""5,000 open sockets of as many users on one process."""

import asyncio
from types import SimpleNamespace

import pytest

from grove.core.ids import new_id
from grove_notification.live import stream
from grove_notification.live.stream import Frame
from grove_stack.bench.crowd import Wanted, allow_files, crowd
from grove_stack.bench.load import Target

pytestmark = pytest.mark.integration
COUNT = 5000


async def test_five_thousand_sockets_get_one_message_each(replica, resources, issuer, monkeypatch):
    """How long that takes is measured (`make bench P=sockets`): here others work on the same cores."""
    allow_files(COUNT)
    monkeypatch.setattr(resources.sign_in, "feed", SimpleNamespace(live=True, changes=0))
    users = [new_id() for _ in range(COUNT)]
    target = Target(f"127.0.0.1:{replica.server.config.port}", "localhost", "", "")
    wanted = Wanted(target, [issuer.token(user) for user in users], ["notification"])
    async with asyncio.timeout(240), crowd(wanted) as sockets:
        assert len(list(replica.hub)) == COUNT
        async with resources.sessions.begin() as session:
            frames = [stream.collect(session, Frame(user, "notification", {"title": "T" * 50})) for user in users]
            await stream.write(session)
        for frame in frames:
            await resources.push.send(frame)
        assert len(await sockets.arrivals()) == COUNT
