"""Sends deliveries: many at a time, few to one endpoint, so that one which hangs holds up nobody else."""

import asyncio
from collections.abc import Sequence
from uuid import UUID
from weakref import WeakValueDictionary

import structlog

from grove.core.clock import now
from grove.core.ids import made_at
from grove.core.tasks import finish
from grove.postgres.engine import STORE_ERRORS, is_unavailable
from grove.security.encryption import DecryptionFailed
from grove_notification.resources import Resources
from grove_notification.webhooks import signing
from grove_notification.webhooks.deliveries import metrics
from grove_notification.webhooks.deliveries.calling import Answer, Caller
from grove_notification.webhooks.deliveries.claiming import Claimed, claim
from grove_notification.webhooks.deliveries.lateness import lateness
from grove_notification.webhooks.deliveries.outcomes import Schedule
from grove_notification.webhooks.deliveries.recording import Ending, Recorder
from grove_notification.webhooks.sealing import open_keys

log = structlog.get_logger()

LOOK_SECONDS = 1.0
MARGIN_SECONDS = 10.0
"""What a lease lasts longer than a try: for writing down how it ended."""
RECORDED_AT_ONCE = 4
"""Connections to the database that ending tries may use together."""
AGAIN_SECONDS = 0.5
ALARM_SECONDS = 60.0
FRESH_ALARM_SECONDS = 600.0
"""The same for endpoints that are held back, but were never tried or failed once only."""
_USER_AGENT = "Grove-Webhooks/1"


class WebhookSender:
    """Tries what is due, in every worker.

    A delivery is leased while it is tried. When the process dies the lease ends by itself: the delivery is tried again
    under the same id, and the try that nobody knows the end of is not counted.
    """

    def __init__(self, resources: Resources) -> None:
        settings = resources.settings
        self._resources = resources
        self._due = resources.webhook_queue.due
        self._schedule = Schedule(settings)
        self._caller = Caller(resources.targets, seconds=settings.webhook_seconds)
        self._cap = settings.webhook_concurrency
        self._most = settings.webhook_in_flight
        self._lease_seconds = settings.webhook_seconds + MARGIN_SECONDS
        self._drain_seconds = settings.webhook_seconds + 2
        self._recording = asyncio.Semaphore(RECORDED_AT_ONCE)
        self._recorded: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        """One for each webhook of which an end is being written: others wait before they take a connection."""
        self._trying: dict[asyncio.Task[None], bool] = {}
        """What is under way, and whether its endpoint is held back."""

    async def run(self) -> None:
        """Send until cancelled; what is under way then is finished."""
        try:
            while True:
                self._due.clear()
                await self._fill()
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._due.wait()
                except TimeoutError:
                    continue
        finally:
            await finish(self._drain(), self._drain_seconds)

    async def send_due(self) -> int:
        """Try all that is due now, and what becomes due meanwhile, until nothing is; how many tries that were."""
        count = 0
        while started := await self.start_due():
            count += len(started)
            await asyncio.wait(started)
        return count

    async def start_due(self) -> Sequence[asyncio.Task[None]]:
        """Begin to try what is due and fits."""
        started = await self._start(self._most - len(self._trying), held_back=False)
        room = min(self._most // 2 - sum(self._trying.values()), self._most - len(self._trying))
        return [*started, *await self._start(room, held_back=True)]

    async def check(self) -> str | None:
        """A health check; also feeds the metric."""
        late = await lateness(self._resources.reads, cap=self._cap)
        metrics.LATE.set(late.seconds)
        metrics.HELD_BACK_LATE.set(late.held_back)
        if late.seconds > ALARM_SECONDS:
            return (
                f"a delivery could have been tried {late.seconds:.0f} s ago; see whether workers keep up, or add some"
            )
        if late.fresh > FRESH_ALARM_SECONDS:
            return (
                f"an endpoint that is new or failed once has waited {late.fresh:.0f} s for a slot; raise "
                "WEBHOOK_IN_FLIGHT, or add workers"
            )
        return None

    async def _fill(self) -> None:
        try:
            await self.start_due()
        except STORE_ERRORS as error:
            log.warning("webhooks.store_unreachable", error=str(error) or type(error).__name__)

    async def _start(self, most: int, *, held_back: bool) -> list[asyncio.Task[None]]:
        if most <= 0:
            return []
        async with self._resources.sessions.begin() as session:
            claimed = await claim(
                session, most=most, cap=self._cap, lease_seconds=self._lease_seconds, held_back=held_back
            )
        return [self._begin(delivery) for delivery in claimed]

    def _begin(self, delivery: Claimed) -> asyncio.Task[None]:
        task = asyncio.create_task(self._try(delivery))
        self._trying[task] = delivery.held_back
        task.add_done_callback(self._ended)
        metrics.IN_FLIGHT.set(len(self._trying))
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._trying[task]
        metrics.IN_FLIGHT.set(len(self._trying))
        self._due.set()  # its endpoint has room for another
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("webhooks.try_lost", exc_info=error)  # its lease ends, and it is tried again

    async def _try(self, delivery: Claimed) -> None:
        started = now()
        answer = await self._answer(delivery)
        moment = now()
        outcome = self._schedule.outcome(answer, delivery.attempts + 1, moment)
        kept = await self._record(delivery, Ending(answer, outcome, started, moment))
        metrics.DELIVERIES.labels(outcome.kind if kept else "lost").inc()
        if outcome.kind == "delivered":
            metrics.SECONDS.observe((moment - made_at(delivery.event_id)).total_seconds())
        log.info(
            "webhook.tried",
            delivery_id=str(delivery.id),
            webhook_id=str(delivery.webhook_id),
            outcome=outcome.kind,
            status=answer.status,
        )

    async def _record(self, delivery: Claimed, ending: Ending) -> bool:
        """Write down how it ended, and wait for a database that is away as long as the delivery is ours.

        What can't be written as a whole is written in short: a try that nobody counts would be made for ever.
        """
        record = Recorder.record
        alone = self._recorded.setdefault(delivery.webhook_id, asyncio.Lock())
        while True:
            try:
                async with alone, self._recording, self._resources.sessions.begin() as session:
                    recorder = Recorder(session, self._resources.mail_queue, self._schedule.disable_after)
                    return await record(recorder, delivery, ending)
            except Exception as error:
                if is_unavailable(error) and now() < delivery.leased_until:
                    log.warning("webhooks.store_unreachable", error=str(error) or type(error).__name__)
                    await asyncio.sleep(AGAIN_SECONDS)
                elif is_unavailable(error) or record is Recorder.record_alone:
                    raise
                else:
                    log.error("webhook.not_recorded", delivery_id=str(delivery.id), exc_info=error)
                    record = Recorder.record_alone

    async def _answer(self, delivery: Claimed) -> Answer:
        """The endpoint's, or what kept it from being called."""
        try:
            return await self._call(delivery)
        except Exception as error:
            log.error("webhook.not_called", delivery_id=str(delivery.id), exc_info=error)
            return Answer(error="Grove failed to send it.")

    async def _call(self, delivery: Claimed) -> Answer:
        try:
            keys = open_keys(self._resources.webhook_cipher, delivery.webhook_id, delivery.secrets)
        except DecryptionFailed as error:
            log.error("webhook.secret_unreadable", webhook_id=str(delivery.webhook_id), error=str(error))
            return Answer(error="Grove could not read the webhook's secret. Rotate it.")
        moment = now()
        headers = signing.headers(keys.signing(moment), str(delivery.message_id), moment, delivery.body)
        headers |= {"Content-Type": "application/json", "User-Agent": _USER_AGENT}
        return await self._caller.post(delivery.url, headers, delivery.body.encode())

    async def _drain(self) -> None:
        if self._trying:
            await asyncio.wait(list(self._trying))
