"""The revocation feed: a revoked token is dead in every service within a second.

An instance subscribes to the fanout, loads a snapshot from auth, then trusts what it holds while heartbeats
come. Silence or a lost connection ends that trust at once: auth is asked about each token instead.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from aio_pika.abc import AbstractIncomingMessage
from pydantic import BaseModel, Field, ValidationError

from grove.contracts.auth import Revocation
from grove.contracts.event import Envelope
from grove.core.clock import now
from grove.core.errors import GroveError, ServiceUnavailable
from grove.core.ids import new_id
from grove.messaging.broker import BROKER_ERRORS, Broker, closed
from grove.messaging.topology import REVOCATIONS
from grove.observability.metrics import REVOCATION_LIVE
from grove.security.principal import Principal

log = structlog.get_logger()

SILENCE_SECONDS = 3.0
HEARTBEAT_SECONDS = 1.0
INTROSPECTION_SECONDS = 0.5
"""How long one answer of auth is used while the feed is lost; with it, 1 s from revocation to refusal holds."""
QUESTIONS_AT_ONCE = 500


class Snapshot(BaseModel):
    """All entries in force, as of feed number `number`."""

    number: int
    entries: list[Revocation]


class TokenQuestion(BaseModel):
    """What auth needs to say whether a token is still good."""

    user_id: UUID
    session_id: str
    version: int
    global_version: int
    token_id: str
    signing_key_id: str
    api_key_id: str

    @classmethod
    def about(cls, principal: Principal) -> "TokenQuestion":
        """The question whether `principal` still counts."""
        return cls(
            user_id=principal.user_id,
            session_id=principal.session_id,
            version=principal.version,
            global_version=principal.global_version,
            token_id=principal.token_id,
            signing_key_id=principal.signing_key_id,
            api_key_id=principal.api_key_id,
        )


class TokenAnswer(BaseModel):
    """Whether the token is still good."""

    active: bool


class TokenQuestions(BaseModel):
    """The same about several tokens."""

    questions: list[TokenQuestion] = Field(min_length=1, max_length=QUESTIONS_AT_ONCE)


class TokenAnswers(BaseModel):
    """Which of them are still good, in the order of the questions."""

    active: list[bool]


@dataclass
class Revocations:
    """The entries in force."""

    number: int = 0
    _ids: dict[tuple[str, str], Revocation] = field(default_factory=dict)
    _global_minimum: int = 0

    def add(self, entry: Revocation) -> None:
        """Take in one entry."""
        self.number = max(self.number, entry.number)
        if entry.kind == "global":
            self._global_minimum = max(self._global_minimum, entry.minimum)
        elif entry.kind != "heartbeat":
            self._ids[entry.kind, entry.key] = entry

    def revoked(self, principal: Principal) -> bool:
        """Whether an entry ends this token."""
        if principal.global_version < self._global_minimum or any(key in self._ids for key in _names(principal)):
            return True
        user = self._ids.get(("user", str(principal.user_id)))
        return user is not None and principal.version < user.minimum

    def forget_old(self) -> None:
        """Drop entries that no living token can match."""
        moment = now()
        self._ids = {key: entry for key, entry in self._ids.items() if entry.until is None or entry.until > moment}


def _names(principal: Principal) -> Iterator[tuple[str, str]]:
    """What an entry may name to end it."""
    if principal.api_key_id:
        yield "api_key", principal.token_id
    else:
        yield "session", principal.session_id
        yield "signing_key", principal.signing_key_id


class RevocationFeed:
    """Follows the feed. `live` says whether what it holds can be trusted now."""

    def __init__(
        self,
        service: str,
        broker: Broker,
        snapshot: Callable[[], Awaitable[Snapshot]],
        *,
        keys_changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`keys_changed` is called when a signing key was revoked: auth signs with another one now."""
        self._service = service
        self._broker = broker
        self._snapshot = snapshot
        self._keys_changed = keys_changed
        self._held = Revocations()
        self._connected = False
        self._heard = 0.0
        self._stale = asyncio.Event()
        self.loaded_once = False
        self.changes = 0
        """Rises whenever it may hold something new: what it said of a token holds until then."""

    @property
    def live(self) -> bool:
        """Whether the feed is connected, complete and heard from."""
        return self._connected and time.monotonic() - self._heard < SILENCE_SECONDS

    def revoked(self, principal: Principal) -> bool:
        """Whether the token is revoked, by what the feed holds."""
        return self._held.revoked(principal)

    async def run(self) -> None:
        """Follow the feed until cancelled."""
        while True:
            try:
                if not self.loaded_once:
                    await self._take_snapshot()  # with it the instance can serve, asking auth until the feed is up
                await self._follow()
            except (*BROKER_ERRORS, GroveError) as error:
                log.warning("revocation_feed.lost", error=str(error) or type(error).__name__)
            finally:
                self._connected = False
                REVOCATION_LIVE.set(0)
            await asyncio.sleep(0.5)

    async def _follow(self) -> None:
        async with self._broker.connection() as connection:
            connection.close_callbacks.add(lambda *_: self._lose())
            channel = await connection.channel()
            queue = await channel.declare_queue(
                f"{self._service}.revocations.{new_id()}", exclusive=True, auto_delete=True
            )
            await queue.bind(await channel.get_exchange(REVOCATIONS, ensure=False))
            self._stale.set()
            await queue.consume(self._take, no_ack=True)
            gone = asyncio.create_task(closed(connection))
            try:
                while not gone.done():
                    stale = asyncio.create_task(self._stale.wait())
                    await asyncio.wait({gone, stale}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
                    stale.cancel()
                    self._held.forget_old()
                    if self._stale.is_set() and not gone.done():
                        await self._load()
            finally:
                gone.cancel()

    def _lose(self) -> None:
        self._connected = False
        REVOCATION_LIVE.set(0)

    async def _take_snapshot(self) -> None:
        snapshot = await self._snapshot()
        self._held.number = max(self._held.number, snapshot.number)
        for entry in snapshot.entries:
            self._held.add(entry)
        self.changes += 1
        self.loaded_once = True

    async def _load(self) -> None:
        self._stale.clear()
        await self._take_snapshot()
        self._connected = True
        self._heard = time.monotonic()
        REVOCATION_LIVE.set(1)
        log.info("revocation_feed.live", number=self._held.number)

    async def _take(self, incoming: AbstractIncomingMessage) -> None:
        try:
            envelope = Envelope.model_validate_json(incoming.body)
            entry = Revocation.model_validate(envelope.data)
        except ValidationError:
            log.error("revocation_feed.unreadable", message_id=incoming.message_id)
            return
        expected = self._held.number if entry.kind == "heartbeat" else self._held.number + 1
        gap = entry.number > expected
        self._held.add(entry)
        if entry.kind != "heartbeat":
            self.changes += 1
        if entry.kind == "signing_key":
            self._keys_changed()
        if gap:
            # What lies between is unknown: do not trust until the snapshot is in.
            self._lose()
            self._stale.set()
        self._heard = time.monotonic()


class TokenGate:
    """Decides whether verified tokens still count."""

    def __init__(
        self,
        feed: RevocationFeed,
        ask: Callable[[TokenQuestion], Awaitable[TokenAnswer]],
        ask_each: Callable[[Sequence[TokenQuestion]], Awaitable[Sequence[bool]]],
    ) -> None:
        """`ask_each` takes up to QUESTIONS_AT_ONCE, and answers in their order."""
        self._feed = feed
        self._ask = ask
        self._ask_each = ask_each
        self._answers: dict[str, tuple[float, bool]] = {}

    async def admits(self, principal: Principal) -> bool:
        """Whether the token is still good. Raises ServiceUnavailable when that can't be known."""
        known = self._known(principal)
        if known is not None:
            return known
        asked = time.monotonic()
        try:
            answer = await self._ask(TokenQuestion.about(principal))
        except GroveError:
            raise _unknown() from None
        self._keep(principal, asked, active=answer.active)
        return answer.active

    async def admits_each(self, principals: Sequence[Principal]) -> list[bool]:
        """The same of up to QUESTIONS_AT_ONCE, with one question to auth. Raises ServiceUnavailable for all of them."""
        known = [self._known(principal) for principal in principals]
        open_ones = [each for each, answer in zip(principals, known, strict=True) if answer is None]
        if not open_ones:
            return [answer is True for answer in known]
        asked = time.monotonic()
        try:
            answers = await self._ask_each([TokenQuestion.about(principal) for principal in open_ones])
        except GroveError:
            raise _unknown() from None
        for principal, active in zip(open_ones, answers, strict=True):
            self._keep(principal, asked, active=active)
        told = iter(answers)
        return [next(told) if answer is None else answer for answer in known]

    def _known(self, principal: Principal) -> bool | None:
        """What the feed, or auth a moment ago, says; None when auth has to be asked."""
        if self._feed.live:
            return not self._feed.revoked(principal)
        cached = self._answers.get(principal.token_id)
        if cached is not None and time.monotonic() - cached[0] < INTROSPECTION_SECONDS:
            return cached[1]
        return None

    def _keep(self, principal: Principal, asked: float, *, active: bool) -> None:
        if len(self._answers) > 10_000:
            self._answers.clear()
        self._answers[principal.token_id] = (asked, active)


def _unknown() -> ServiceUnavailable:
    return ServiceUnavailable("Your sign-in can't be checked right now. Try again in a moment.")
