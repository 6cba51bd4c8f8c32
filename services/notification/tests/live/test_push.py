"""Pushing when Valkey does not answer."""

import asyncio

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from grove.core.ids import new_id
from grove_notification.live.metrics import LOST
from grove_notification.live.patience import Patience
from grove_notification.live.push import LivePush
from grove_notification.live.stream import COUNT, Frame


async def test_a_valkey_that_hangs_is_left_alone_for_a_while(monkeypatch):
    """It takes connections and says nothing: one push finds out, those behind it do not wait for it."""
    monkeypatch.setattr("grove_notification.live.patience.PAUSE_SECONDS", 3600)
    asked = 0

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        while await reader.read(1000):
            continue
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    valkey = Redis(port=port, socket_timeout=0.1, socket_connect_timeout=0.1, retry=Retry(NoBackoff(), 0))
    push, lost = LivePush(valkey), LOST._value.get()
    frame = Frame(new_id(), COUNT, {}, position=1)
    with capture_logs() as logs:
        for _ in range(50):
            await push.send(frame)
        assert asked == 1
        assert LOST._value.get() - lost == 50
        push._patience = Patience()
        await push.send(frame)
    assert [entry["event"] for entry in logs] == ["live.push_lost", "live.pushes_left_out", "live.push_lost"]
    assert logs[1]["pushes"] == 49
    await valkey.aclose()
    server.close()
    await server.wait_closed()
