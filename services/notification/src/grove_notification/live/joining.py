"""How a connection begins: among those that get pushes first, then at its place in the stream."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog

from grove.core.errors import ServiceUnavailable
from grove.postgres.engine import STORE_ERRORS
from grove.security.principal import Principal
from grove.web.pagination import invalid_query
from grove_notification.live.connection import Connection
from grove_notification.live.frames import FrameId, new_stream
from grove_notification.live.repository import LiveQueries
from grove_notification.live.subscriber import Subscriber
from grove_notification.resources import Resources

log = structlog.get_logger()

Connect = Callable[[Principal, Subscriber, float], Connection]


@dataclass(frozen=True, slots=True)
class Place:
    """From where to go on. `notification`: from that one's frame. Neither that nor `frame`: from now on."""

    frame: FrameId | None = None
    notification: UUID | None = None

    @classmethod
    def of(cls, resume_from: str | None, last_event_id: str | None) -> "Place":
        """What the client says; the header is the newer one, of a browser that comes back. Raises Invalid."""
        given = last_event_id or resume_from
        if not given:
            return cls()
        frame = FrameId.parse(given)
        if frame is not None:
            return cls(frame=frame)
        try:
            return cls(notification=UUID(given))
        except ValueError:
            raise invalid_query("resume_from", "must be the id of a frame or of a notification") from None


@dataclass(frozen=True, slots=True)
class Joining:
    """Somebody who may connect, and from where they go on."""

    resources: Resources
    principal: Principal
    place: Place

    @asynccontextmanager
    async def joined(self, connect: Connect) -> AsyncIterator[Connection]:
        """The connection, ready to run. Raises RateLimited for one too many, ServiceUnavailable."""
        resources, settings = self.resources, self.resources.settings
        queries = LiveQueries(resources.reads, self.principal.user_id)
        state = partial(resources.hub.states.of, self.principal.user_id)
        subscriber = Subscriber(queries, state, new_stream(), limit=settings.live_queue, turns=resources.hub.turns)
        connection = connect(self.principal, subscriber, settings.live_ping_seconds)
        resources.hub.join(connection)
        try:
            try:
                await self._begin(queries, subscriber)
            except STORE_ERRORS as error:
                log.warning("live.store_away", error=str(error) or type(error).__name__)
                raise ServiceUnavailable from error
            yield connection
        finally:
            resources.hub.leave(connection)

    async def _begin(self, queries: LiveQueries, subscriber: Subscriber) -> None:
        frame, notification = self.place.frame, self.place.notification
        if frame is not None:
            acked = await self.resources.acks.last(self.principal.user_id, frame.stream)
            await subscriber.begin(max(frame.position, acked))
        elif notification is not None:
            async with self.resources.hub.turns:
                position = await queries.of_notification(notification)
            await subscriber.begin(position, lost=position is None)
        else:
            await subscriber.begin(None)
