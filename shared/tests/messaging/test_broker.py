"""Connections to a broker."""

import asyncio

import pytest

from grove.messaging.broker import BROKER_ERRORS, Broker, closed

pytestmark = pytest.mark.integration


async def test_connections_that_fail_leave_nothing_behind(brokers):
    """A worker tries again each second for as long as its broker is away."""
    tls = brokers("resource").tls
    held = len(tls._contexts)
    for _ in range(3):
        with pytest.raises(BROKER_ERRORS):
            async with Broker("amqps://127.0.0.1:1/grove", tls, "away").connection():
                raise AssertionError("nobody is there")
    assert len(tls._contexts) == held


async def test_connections_that_end_leave_nothing_behind(brokers):
    broker = brokers("resource")
    held = len(broker.tls._contexts)
    async with broker.connection():
        assert len(broker.tls._contexts) == held + 1
    with pytest.raises(ValueError, match="in the block"):
        async with broker.connection():
            raise ValueError("in the block")
    assert len(broker.tls._contexts) == held


async def test_a_channel_that_the_broker_closes_alone_is_noticed(brokers):
    """Its connection lives: who waits for that alone consumes nothing any more, and looks healthy."""
    async with brokers("resource").connection() as connection:
        channel = await connection.channel()
        waiting = asyncio.create_task(closed(connection, channel))
        with pytest.raises(BROKER_ERRORS):
            await channel.declare_queue("there.is.none", passive=True)
        async with asyncio.timeout(20):
            await waiting
        assert not connection.is_closed
