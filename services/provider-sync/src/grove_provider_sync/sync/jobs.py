"""The work queue: which connection to synchronise. The rows are the truth, a message only says "now"."""

import asyncio
import json
from contextlib import suppress
from uuid import UUID

import structlog
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from grove.core.ids import new_id
from grove.core.tasks import finish
from grove.messaging.broker import BROKER_ERRORS, Broker, closed, message
from grove.messaging.topology import internal_exchange
from grove.postgres.engine import STORE_ERRORS
from grove_provider_sync.resources import Resources
from grove_provider_sync.settings import ProviderSyncSettings
from grove_provider_sync.sync.repository import SyncRunRepository
from grove_provider_sync.sync.runner import SyncRunner

log = structlog.get_logger()

QUEUE = f"{ProviderSyncSettings.service}.jobs"
LOOK_SECONDS = 0.5
BATCH = 50
DRAIN_SECONDS = 20.0

_WAITING_ERRORS: tuple[type[BaseException], ...] = (*BROKER_ERRORS, *STORE_ERRORS)


class Scheduler:
    """Turns due connections into runs, and hands runs to the queue. Any number of workers may do it."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._broker: Broker = resources.broker
        self._look = asyncio.Event()

    def look(self) -> None:
        """Something may be due now: a run ended, so that the next of its user may begin."""
        self._look.set()

    async def run(self) -> None:
        """Schedule until cancelled."""
        while True:
            try:
                async with self._broker.connection() as connection:
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                    exchange = await channel.get_exchange(internal_exchange(ProviderSyncSettings.service), ensure=False)
                    while True:
                        self._look.clear()
                        if await self._schedule_due() + await self._hand_over(exchange) < BATCH:
                            await self._pause()
            except _WAITING_ERRORS as error:
                log.warning("scheduler.waiting", error=str(error) or type(error).__name__)
            await asyncio.sleep(1)

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._look.wait()

    async def _schedule_due(self) -> int:
        async with self._resources.sessions.begin() as session:
            runs = SyncRunRepository(session)
            due = await runs.due_connections(BATCH)
            for connection in due:
                await runs.enqueue(connection, "scheduled")
                connection.next_sync_at = None  # set again when the run ends
        return len(due)

    async def _hand_over(self, exchange: AbstractExchange) -> int:
        async with self._resources.sessions.begin() as session:
            runs = SyncRunRepository(session)
            ready = await runs.to_hand_over(BATCH) if await runs.may_hand_over() else []
            if ready:
                await asyncio.gather(*(self._publish(exchange, run.connection_id) for run in ready))
                await runs.handed_over([run.id for run in ready])
        return len(ready)

    async def _publish(self, exchange: AbstractExchange, connection_id: UUID) -> None:
        body = json.dumps({"connection_id": str(connection_id)}).encode()
        await exchange.publish(message(body, message_id=str(new_id())), routing_key=QUEUE, mandatory=True, timeout=10)


class JobConsumer:
    """Takes connections from the queue and runs them, several at a time."""

    def __init__(self, resources: Resources, scheduler: Scheduler) -> None:
        self._broker = resources.broker
        self._concurrency = resources.settings.sync_concurrency
        self._runner = SyncRunner(resources)
        self._scheduler = scheduler
        self._slots = asyncio.Semaphore(self._concurrency)
        self._in_hand: set[asyncio.Task[None]] = set()
        self.connected = False

    async def run(self) -> None:
        """Work until cancelled. Runs go on elsewhere then; only refreshes of tokens are waited for."""
        try:
            await self._consume()
        finally:
            await finish(self._runner.drain(), DRAIN_SECONDS)

    async def _consume(self) -> None:
        while True:
            try:
                async with self._broker.connection() as connection:
                    channel = await connection.channel()
                    await channel.set_qos(prefetch_count=self._concurrency)
                    queue = await channel.get_queue(QUEUE, ensure=False)
                    await queue.consume(self._take)
                    self.connected = True
                    await closed(connection, channel)
            except BROKER_ERRORS as error:
                log.warning("jobs.disconnected", error=str(error) or type(error).__name__)
            finally:
                self.connected = False
            await asyncio.sleep(1)

    async def _take(self, incoming: AbstractIncomingMessage) -> None:
        task = asyncio.create_task(self._work(incoming))
        self._in_hand.add(task)
        task.add_done_callback(self._in_hand.discard)

    async def _work(self, incoming: AbstractIncomingMessage) -> None:
        try:
            connection_id = UUID(json.loads(incoming.body)["connection_id"])
            async with self._slots:  # what was begun on a connection before may still run
                await self._runner.run(connection_id)
        except STORE_ERRORS as error:
            log.warning("sync.store_unreachable", error=str(error) or type(error).__name__)
        except Exception:
            log.exception("sync.broken")
        try:
            await incoming.ack()
        except BROKER_ERRORS as error:
            log.warning("jobs.answer_lost", error=str(error) or type(error).__name__)
        self._scheduler.look()
