"""A mail server that can't be reached is charged to no mail: senders wait for it, and go on when it is back."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from grove.core.tasks import end
from grove.testing.postgres import outbox_types
from grove_notification.mails.repository import MailRepository
from grove_notification.mails.sending import connection, recording
from grove_notification.mails.sending.connection import SmtpConnection
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Mail
from grove_notification.resources import Resources

pytestmark = pytest.mark.integration

PATIENCE = 60
FOR_EVER = 1_000_000


@pytest.fixture
async def worker(settings, server):
    """Makes workers that send to the server, and give a mail up when its first try fails."""
    made: list[tuple[Resources, MailSender]] = []

    def worker(**changes) -> MailSender:
        own = Resources(settings.model_copy(update={"smtp_port": server.port, "mail_retry_seconds": []} | changes))
        made.append((own, MailSender(own)))
        return made[-1][1]

    yield worker
    for own, each in made:
        await each.aclose()
        await own.aclose()


async def tries(resources) -> list[tuple[str, int]]:
    async with resources.sessions() as session:
        return [(mail.status, mail.attempts) for mail in await session.scalars(select(Mail).order_by(Mail.id))]


async def test_an_outage_uses_up_no_try_and_each_sender_claims_one_mail(resources, server, worker, ask, monkeypatch):
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.0)
    claimed: list[Mail] = []
    claim = MailRepository.claim_due

    async def counted(self, moment, *, notices=True):
        mail = await claim(self, moment, notices=notices)
        if mail is not None:
            claimed.append(mail)
        return mail

    monkeypatch.setattr(MailRepository, "claim_due", counted)
    server.drops["connect"] = FOR_EVER
    for _ in range(12):
        await ask()
    away = worker(mail_senders=3)
    running = asyncio.create_task(away.run())
    async with asyncio.timeout(PATIENCE):
        while server.connections < 15:
            await asyncio.sleep(0.05)
        assert await tries(resources) == [("queued", 0)] * 12
        assert len(claimed) <= 3, "the store is left alone"
        assert await outbox_types(resources.engine) == []
        said = await away.check() or ""
        assert said.startswith(f"the mail server 127.0.0.1:{server.port} can't be reached since ")
        assert "Unexpected EOF" in said
        server.drops["connect"] = 0
        while await tries(resources) != [("sent", 1)] * 12:
            await asyncio.sleep(0.05)
    assert await away.check() is None
    await end(running)


async def test_nobody_listens(resources, worker, ask):
    await ask()
    away = worker(smtp_port=1)
    assert await away.send_one()
    assert not await away.send_one(), "nothing is claimed before its pause is over"
    assert await tries(resources) == [("queued", 0)]
    assert "127.0.0.1:1 can't be reached" in (await away.check() or "")


@pytest.mark.parametrize("stage", ["connect", "EHLO"])
@pytest.mark.parametrize("answer", ["421 too many connections", "454 not now", "554 5.7.1 go away", None])
async def test_what_a_server_says_before_a_mail_begins_is_not_about_the_mail(
    resources, server, worker, ask, monkeypatch, stage, answer
):
    monkeypatch.setattr(recording, "GIVEN_BACK", timedelta(0))
    if answer is None:
        server.drops[stage] = 1
    else:
        server.answers[stage] = [answer]
        server.answers["HELO"] = [answer]
    await ask()
    refused = worker()
    assert await refused.send_one()
    assert await tries(resources) == [("queued", 0)]
    assert (answer or "can't be reached") in (await refused.check() or "")
    refused._connections[0].end_pause()
    assert await refused.send_one()
    assert await tries(resources) == [("sent", 1)]


async def test_an_old_server_without_ehlo_is_greeted_as_it_likes(resources, server, worker, ask):
    server.answers["EHLO"] = ["502 what?"]
    await ask()
    assert await worker().send_one()
    assert await tries(resources) == [("sent", 1)]


async def test_a_kept_connection_that_is_gone_and_not_opened_again_is_no_try(resources, server, worker, ask):
    await ask()
    kept = worker()
    assert await kept.send_one()
    server.drops.update({"RSET": 1, "connect": 1})
    await ask()
    assert await kept.send_one()
    assert await tries(resources) == [("sent", 1), ("queued", 0)]


async def test_who_reaches_the_server_first_ends_the_pauses_of_all(resources, server, worker, ask, monkeypatch):
    monkeypatch.setattr(connection, "FIRST_PAUSE", 3600.0)
    server.drops["connect"] = 3
    away = worker(mail_senders=3)
    for _ in range(3):
        await ask()
    for each in away._connections:
        assert await away.send_one(each)
    assert not any([await away.send_one(each) for each in away._connections])
    away._due.clear()
    away._connections[1].end_pause()
    assert await away._reaches(away._connections[1])
    assert away._due.is_set(), "the others are woken"
    for each in away._connections:
        assert await away._reaches(each)


async def test_a_server_that_takes_few_connections_can_be_reached(server, worker, ask):
    """One more than it likes: those that are open go on, and nobody is alarmed."""
    few = worker(mail_senders=2)
    await ask()
    assert await few.send_one(few._connections[0])
    server.answers["connect"] = ["421 too many connections"]
    await ask()
    assert await few.send_one(few._connections[1])
    assert few._connections[1].outage is not None
    assert await few.check() is None


async def test_pauses_grow_to_a_minute(settings, server, monkeypatch):
    asked: list[float] = []
    monkeypatch.setattr(connection, "jittered", lambda seconds: asked.append(seconds) or 0.0)
    server.drops["connect"] = FOR_EVER
    away = SmtpConnection(settings.model_copy(update={"smtp_port": server.port}))
    for _ in range(8):
        assert not await away.reopen()
    assert asked == [1, 2, 4, 8, 16, 32, 60, 60]
    server.drops["connect"] = 0
    assert await away.reopen()
    await away.aclose()
