"""Webhooks against real receivers on loopback, which is where the operator's list allows them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select, text, update

from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.ids import new_id
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.deliveries import turns
from grove_notification.webhooks.deliveries.sender import WebhookSender
from grove_notification.webhooks.targets import Targets

URL = "/api/v1/webhooks"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
GUARD = 30
"""Seconds after which a test that waits is wrong."""


@dataclass
class Got:
    """A request as it arrived."""

    line: str
    headers: dict[str, str]
    body: str


@dataclass
class Reply:
    """An answer. `after`: not before that is set. `drip`: the body comes byte by byte and never ends."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = "ok"
    after: asyncio.Event | None = None
    drip: bool = False


class Receiver:
    """An HTTP server. `replies` come first, then `reply` for ever."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.replies: list[Reply] = []
        self.reply = Reply()
        self.under_way = 0
        self.most_at_once = 0
        self._changed = asyncio.Condition()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.place}/hook?key=1"

    def answers(self, **reply: Any) -> Reply:
        """From now on."""
        self.reply = Reply(**reply)
        return self.reply

    def answers_first(self, **reply: Any) -> Reply:
        """The next request; one more at each call."""
        self.replies.append(Reply(**reply))
        return self.replies[-1]

    async def have(self, count: int) -> list[Got]:
        """Wait until that many requests have arrived."""
        async with asyncio.timeout(GUARD), self._changed:
            await self._changed.wait_for(lambda: len(self.got) >= count)
        return self.got

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *rest = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in rest)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            reply = self.replies.pop(0) if self.replies else self.reply
            async with self._changed:
                self.got.append(Got(line, headers, body.decode()))
                self._changed.notify_all()
            await self._answer(reader, writer, reply)
        self.under_way -= 1
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Reply) -> None:
        if reply.after is not None:
            gone = asyncio.create_task(reader.read())  # the sender may not wait for it
            waiting = asyncio.create_task(reply.after.wait())
            await asyncio.wait([gone, waiting], return_when=asyncio.FIRST_COMPLETED)
            for task in (gone, waiting):
                task.cancel()
        given = {"Content-Length": "100000" if reply.drip else str(len(reply.body.encode()))} | reply.headers
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{head}\r\n{reply.body}".encode())
        await writer.drain()
        while reply.drip:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.05)


@pytest.fixture
async def receivers(resources, monkeypatch) -> AsyncIterator[Callable[[], Any]]:
    """Makes receivers; each is put on the operator's list."""
    made: list[Receiver] = []

    async def nowhere(_: str) -> list[str]:
        return []

    async def make() -> Receiver:
        receiver = Receiver()
        await receiver.start()
        made.append(receiver)
        targets = Targets([443], [each.place for each in made], nowhere)
        monkeypatch.setattr(resources, "targets", targets)
        return receiver

    yield make
    for receiver in made:
        await receiver.stop()


@pytest.fixture
async def receiver(receivers) -> Receiver:
    return await receivers()


@pytest.fixture
def configure(resources, monkeypatch):
    """Other settings of webhooks: configure(retry_scale=0.001)."""

    def configure(**changes: Any) -> None:
        renamed = {f"webhook_{name}": value for name, value in changes.items()}
        monkeypatch.setattr(resources, "settings", resources.settings.model_copy(update=renamed))

    return configure


@pytest.fixture
def ada() -> UUID:
    return new_id()


@pytest.fixture
def me(issuer, ada):
    return issuer.headers(ada)


@pytest.fixture
def create(client, me):
    """A webhook for everything: await create(receiver.url, ordered=True)."""

    async def create(url: str, headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        body = {"url": url, "event_types": ["*"], **fields}
        answer: httpx2.Response = await client.post(URL, json=body, headers=headers or me)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return create


@pytest.fixture
async def hooks(resources) -> AsyncIterator[Callable[[], WebhookSender]]:
    """Makes senders, which are closed in the end. Called when receivers and settings are as they should be."""
    made: list[WebhookSender] = []

    def make() -> WebhookSender:
        made.append(WebhookSender(resources))
        return made[-1]

    yield make
    for sender in made:
        for task in list(sender._trying):
            task.cancel()
        await sender._drain()


class Rows:
    """A look at the tables, and a hand in them."""

    def __init__(self, resources: Any) -> None:
        self._sessions = resources.sessions

    async def deliveries(self, *conditions: Any) -> list[WebhookDelivery]:
        async with self._sessions() as session:
            found = select(WebhookDelivery).where(*conditions).order_by(WebhookDelivery.id)
            return list((await session.scalars(found)).all())

    async def one(self) -> WebhookDelivery:
        [delivery] = await self.deliveries()
        return delivery

    async def webhook(self) -> Webhook:
        async with self._sessions() as session:
            return (await session.scalars(select(Webhook))).one()

    async def change(self, table: Any, **values: Any) -> None:
        """Of all rows. Webhooks are looked at next time: what was changed may be due by now."""
        async with self._sessions.begin() as session:
            await session.execute(update(table).values(**values))
            if "due_at" not in values:
                await session.execute(update(Webhook).values(due_at=LONG_AGO))


@pytest.fixture
def rows(resources) -> Rows:
    return Rows(resources)


@pytest.fixture
def blocked(resources):
    """Wait until somebody waits for a lock, and how many do: await blocked()."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async def blocked() -> int:
        async with asyncio.timeout(GUARD), resources.engine.connect() as connection:
            while not (count := await connection.scalar(waiting)):
                await asyncio.sleep(0.01)
            return count

    return blocked


@pytest.fixture
def made(create, receiver):
    """A webhook of mine."""

    async def made(**fields):
        return await create(receiver.url, **fields)

    return made


@pytest.fixture
def delivered(client, me, hooks):
    """Tests that were sent: their deliveries, oldest first."""

    async def delivered(webhook: dict, count: int) -> list[dict]:
        sender = hooks()
        for _ in range(count):
            answer = await client.post(f"{URL}/{webhook['id']}/test", headers=me)
            assert answer.status_code == 202
            await sender.send_due()
        items = (await client.get(f"{URL}/{webhook['id']}/deliveries", headers=me)).json()["items"]
        return items[::-1]

    return delivered


@pytest.fixture
def task(happen, ada):
    """A fact of mine: await task("Plant")."""

    async def task(title: str = "Plant", user_id=ada) -> None:
        await happen("resource", TaskCreated(task_id=new_id(), user_id=user_id, title=title, created_at=now()))

    return task


@pytest.fixture
def queue(resources):
    """Rows for a webhook: await queue(webhook, ["a", "b"])."""

    async def queue(webhook: dict, titles: list[str], **fields) -> None:
        moment = now()
        async with resources.sessions.begin() as session:
            found = await session.get_one(Webhook, webhook["id"], with_for_update=True)
            for title in titles:
                row = {
                    "id": new_id(),
                    "webhook_id": webhook["id"],
                    "user_id": found.user_id,
                    "event_id": new_id(),
                    "message_id": new_id(),
                    "event_type": "resource.task.created.v1",
                    "body": json.dumps({"title": title}),
                    "status": "pending",
                    "attempts": 0,
                    "next_attempt_at": moment,
                    "created_at": moment,
                } | fields
                session.add(WebhookDelivery(**row))
                if row["next_attempt_at"] is not None:
                    turns.lower_locked(found, row["next_attempt_at"])

    return queue
