"""One open connection, whatever carries it: sends what its subscriber has, until it ends or is ended."""

import asyncio
import random
from abc import ABC, abstractmethod
from datetime import datetime
from typing import NamedTuple

import structlog

from grove.core.tasks import end as end_tasks
from grove.security.principal import Principal
from grove_notification.live.frames import Message
from grove_notification.live.metrics import ENDED, SENT
from grove_notification.live.subscriber import Subscriber

log = structlog.get_logger()

SEND_SECONDS = 10.0
"""How long a client may leave unread what is sent."""
FULL_SECONDS = 1.0
"""How long when as much waits for it as may."""


class Ending(NamedTuple):
    """Why a connection ends: a code and words for the client, a name for metrics."""

    code: int
    words: str
    name: str


BAD_MESSAGE = Ending(4400, 'send {"ack": id} or {"token": "…"}', "bad_message")
BODY = Ending(4400, "an event stream takes no such body", "body")
REVOKED = Ending(4401, "your session was ended", "revoked")
EXPIRED = Ending(4401, "your token has expired", "expired")
BAD_TOKEN = Ending(4401, "the new token is not valid here", "bad_token")
TOO_SLOW = Ending(4408, "you read too slowly; connect again and resume", "too_slow")
TOO_MUCH = Ending(
    4408, "you send too much; acknowledge the newest frame only, and connect again and resume", "too_much_sent"
)
FAILED = Ending(1011, "something went wrong on our side; connect again and resume", "failed")
STOPPING = Ending(1012, "this server stops; connect again and resume", "stopping")
UNKNOWN = Ending(1013, "your sign-in can't be checked; connect again in a moment", "sign_in_unknown")
GONE = Ending(1000, "the client is gone", "gone")


class Ended(Exception):
    """Ends the connection."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.words)
        self.ending = ending


class Connection(ABC):
    """Two tasks at most: the server's own sends, a second one listens. The sweeper looks after it from outside."""

    transport: str

    def __init__(self, principal: Principal, subscriber: Subscriber, *, ping_seconds: float) -> None:
        self.principal = principal
        self.subscriber = subscriber
        self.checked: int | None = None
        """What the revocation feed had when the sign-in was found to be good; None: it has to be looked at."""
        self.unknown = 0
        """The sweeper's looks since somebody said whether the sign-in is good."""
        self.refused = 0
        """How often since then somebody was asked in vain."""
        self._ping_seconds = ping_seconds
        # Pings of clients that came together are spread, from the first on.
        self._ping_at = asyncio.get_running_loop().time() + ping_seconds * random.random()  # noqa: S311
        self._sending_since: float | None = None
        self._life: asyncio.Timeout | None = None
        self._ending: Ending | None = None

    async def run(self) -> None:
        """Serve until one side ends it."""
        listening = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(None) as self._life:
                await self._send_all()
        except Exception as error:
            if self._ending is None:
                self._ending = GONE if self._is_gone(error) else FAILED
                if self._ending is FAILED:
                    log.error("live.failed", exc_info=error)
        finally:
            self._ending, self._life = self._ending or GONE, None
            await end_tasks(listening)
        if self._ending is not GONE:
            ENDED.labels(self._ending.name).inc()
            log.info("live.ended", transport=self.transport, reason=self._ending.name)
            await self._close(self._ending)

    def end(self, ending: Ending) -> None:
        """End it, whatever it is doing; the first reason counts."""
        if self._ending is not None:
            return
        self._ending = ending
        self.subscriber.ping()  # a library can lose what ends the wait (grove.core.tasks): then it ends by this
        if self._life is not None:
            self._life.reschedule(asyncio.get_running_loop().time())

    def renew(self, principal: Principal) -> None:
        """Go on with another token."""
        self.principal = principal
        self.checked = None
        self.heard()

    def heard(self) -> None:
        """Somebody said that the sign-in is good, or not."""
        self.unknown = self.refused = 0

    def look(self, moment: float, wall: datetime) -> None:
        """What is due: an end of its token, of our patience, or a ping. Called often, by the sweeper."""
        if self.principal.expires_at <= wall:
            self.end(EXPIRED)
        elif self._is_too_slow(moment):
            self.end(TOO_SLOW)
        elif moment >= self._ping_at:
            self._ping_at = moment + self._ping_seconds
            self.subscriber.ping()

    def _is_too_slow(self, moment: float) -> bool:
        if self._sending_since is None:
            return False
        return moment - self._sending_since >= (FULL_SECONDS if self.subscriber.full else SEND_SECONDS)

    async def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._ending is None:
            message = await self.subscriber.next()
            if self._ending is None:
                self._sending_since = loop.time()
                await self._send(message)
                self._sending_since = None
                SENT.labels(message.type).inc()

    async def _listen(self) -> None:
        try:
            await self._receive()
        except Ended as ended:
            self.end(ended.ending)
        except Exception:
            log.exception("live.failed")
            self.end(FAILED)
        else:
            self.end(GONE)

    @abstractmethod
    async def _send(self, message: Message) -> None:
        """Send it; waits while the client does not read."""

    @abstractmethod
    async def _receive(self) -> None:
        """Take what the client says, until it is gone. Raises Ended."""

    @abstractmethod
    async def _close(self, ending: Ending) -> None:
        """Tell the client why, and let it go, in bounded time."""

    @abstractmethod
    def _is_gone(self, error: Exception) -> bool:
        """Whether the error means that the client is gone."""
