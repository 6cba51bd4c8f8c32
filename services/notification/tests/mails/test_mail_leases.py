"""A mail in hand is nobody else's: what the database does meanwhile doubles none, and no mail stops the others."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from structlog.testing import capture_logs

from grove.core.clock import now
from grove.core.tasks import end
from grove.testing.postgres import outbox_types
from grove.testing.smtp import SmtpServer
from grove_notification.mails.sending import leasing, recording
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Mail

pytestmark = pytest.mark.integration

PATIENCE = 60
KILL = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND usename = current_user AND pid <> pg_backend_pid()"
)


async def rows(resources) -> list[Mail]:
    async with resources.sessions() as session:
        return list(await session.scalars(select(Mail).order_by(Mail.id)))


async def drain(worker: MailSender) -> None:
    async with asyncio.timeout(PATIENCE):
        while await worker.send_one():
            pass


async def end_leases(resources) -> None:
    """Time goes by."""
    async with resources.sessions.begin() as session:
        await session.execute(update(Mail).values(leased_until=now() - timedelta(seconds=1)))


def ids(server: SmtpServer) -> list[str]:
    return [mail["Message-ID"] for mail in server.mails]


async def test_two_workers_and_a_database_that_goes_meanwhile_send_it_once(resources, server, worker, ask):
    message_id = await ask()
    one, other = worker(), worker()
    server.hangs["dot"] = 1
    async with asyncio.timeout(PATIENCE):
        sending = asyncio.create_task(one.send_one())
        await server.hanging.wait()
        async with resources.sessions() as session:
            await session.execute(KILL)
        assert not await other.send_one()
        server.released.set()
        assert await sending
        assert not await other.send_one()
    assert ids(server) == [message_id]
    [mail] = await rows(resources)
    assert (mail.status, mail.attempts, mail.leased_until) == ("sent", 1, None)


async def test_no_transaction_is_open_while_the_server_takes_its_time(resources, server, worker, ask):
    await ask()
    server.hangs["dot"] = 1
    async with asyncio.timeout(PATIENCE):
        sending = asyncio.create_task(worker().send_one())
        await server.hanging.wait()
        async with resources.sessions.begin() as session:
            locked = select(Mail).with_for_update(nowait=True)
            assert (await session.scalars(locked)).one().leased_until > now()
        server.released.set()
        await sending


def away(monkeypatch, times: int) -> list[str]:
    """The database breaks the first `times` tries to write an outcome; what it was asked for."""
    asked: list[str] = []
    write = recording.Recording._write

    async def breaks(self, lease, outcome) -> bool:
        asked.append(outcome.status)
        if len(asked) <= times:
            raise ConnectionResetError("the database is away")
        return await write(self, lease, outcome)

    monkeypatch.setattr(recording.Recording, "_write", breaks)
    monkeypatch.setattr(recording, "PAUSE_SECONDS", 0.01)
    return asked


async def test_an_outcome_is_written_as_soon_as_the_database_is_back(resources, server, worker, ask, monkeypatch):
    asked = away(monkeypatch, 20)
    message_id = await ask()
    other = worker()
    await drain(worker())
    await drain(other)
    assert asked == ["sent"] * 21
    assert ids(server) == [message_id]
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("sent", 1)]


@pytest.fixture
def short(monkeypatch) -> None:
    """Leases that are over soon, and not renewed."""
    monkeypatch.setattr(leasing, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(leasing, "RENEW_SECONDS", 3600.0)


async def lease_is_over(resources) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await rows(resources))[0].leased_until > now():
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("taken", [False, True])
async def test_a_database_that_is_away_longer_than_the_lease_doubles_a_mail_that_another_took(
    resources, server, worker, ask, short, monkeypatch, taken
):
    one, other, back = worker(), worker(), asyncio.Event()
    write = one._recording._write

    async def breaks(lease, outcome) -> bool:
        if not back.is_set():
            raise ConnectionResetError("the database is away")
        return await write(lease, outcome)

    monkeypatch.setattr(one._recording, "_write", breaks)
    monkeypatch.setattr(recording, "PAUSE_SECONDS", 0.01)
    message_id = await ask()
    with capture_logs() as logs:
        sending = asyncio.create_task(one.send_one())
        async with asyncio.timeout(PATIENCE):
            while not ids(server):
                await asyncio.sleep(0.02)
        if taken:
            assert not await other.send_one(), "its lease lasts"
        await lease_is_over(resources)
        if taken:
            await drain(other)
        back.set()
        await sending
    assert ids(server) == [message_id] * (2 if taken else 1)
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("sent", 2 if taken else 1)]
    assert await outbox_types(resources.engine) == ["notification.email.sent.v1"]
    assert ("mail.outcome_lost" in {each["event"] for each in logs}) is taken


async def test_a_lease_is_kept_for_as_long_as_the_server_takes(resources, server, worker, ask, monkeypatch):
    monkeypatch.setattr(leasing, "LEASE_SECONDS", 4.0)
    monkeypatch.setattr(leasing, "RENEW_SECONDS", 0.1)
    server.hangs["dot"] = 1
    message_id = await ask()
    one, other = worker(), worker()
    async with asyncio.timeout(PATIENCE):
        slow = asyncio.create_task(one.send_one())
        await server.hanging.wait()
        first = (await rows(resources))[0].leased_until
        while (await rows(resources))[0].leased_until < first + timedelta(seconds=5):
            assert not await other.send_one()
            await asyncio.sleep(0.05)
        server.released.set()
        await slow
    assert ids(server) == [message_id]
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("sent", 1)]


def test_a_lease_outlives_a_renewal_that_fails():
    failed = leasing.RENEW_SECONDS + leasing.ANSWER_SECONDS + leasing.AGAIN_SECONDS
    assert failed + leasing.ANSWER_SECONDS < leasing.LEASE_SECONDS


async def test_a_renewal_whose_answer_is_lost_loses_no_lease(resources, server, worker, ask, monkeypatch):
    monkeypatch.setattr(leasing, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(leasing, "AGAIN_SECONDS", 3600.0)
    lost = asyncio.Event()

    def breaks(_) -> None:
        lost.set()
        raise ConnectionResetError("it was written, but who knows")

    monkeypatch.setattr(leasing.Lease, "renewed", breaks)
    server.hangs["dot"] = 1
    await ask()
    async with asyncio.timeout(PATIENCE):
        slow = asyncio.create_task(worker().send_one())
        await lost.wait()
        server.released.set()
        await slow
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("sent", 1)]


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "dot"])
async def test_a_delivery_whose_lease_is_lost_is_given_up_before_the_final_dot_and_waited_for_behind_it(
    resources, server, worker, ask, monkeypatch, stage
):
    monkeypatch.setattr(leasing, "RENEW_SECONDS", 0.1)
    server.hangs[stage] = 1
    message_id = await ask()
    slow, other = worker(), worker()
    async with asyncio.timeout(PATIENCE):
        with capture_logs() as logs:
            sending = asyncio.create_task(slow.send_one())
            await server.hanging.wait()
            await end_leases(resources)
            await drain(other)
            if stage == "dot":
                await asyncio.sleep(0.3)
                assert not sending.done(), "whether the server has it nobody knows"
                server.released.set()
            await sending
        server.released.set()
    assert ids(server) == [message_id] * (2 if stage == "dot" else 1)
    said = {each["event"] for each in logs}
    assert ("mail.outcome_lost" in said, "mail.lease_lost" in said) == (stage == "dot", stage != "dot")
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("sent", 2)]
    assert await outbox_types(resources.engine) == ["notification.email.sent.v1"]


async def test_who_stood_still_for_longer_than_the_lease_hands_nothing_over(resources, server, worker, ask, short):
    server.hangs["RCPT"] = 1
    message_id = await ask()
    async with asyncio.timeout(PATIENCE):
        still = asyncio.create_task(worker().send_one())
        await server.hanging.wait()
        await lease_is_over(resources)
        await drain(worker())
        assert ids(server) == [message_id]
        server.released.set()
        await still
    assert ids(server) == [message_id]


async def die(worker: MailSender, resources) -> None:
    """A sender has it in hand, and is never heard of again."""
    assert isinstance(await worker._leasing.take(notices=True), leasing.Lease)
    await end_leases(resources)


async def test_a_mail_that_kills_its_senders_is_given_up_after_its_tries(resources, server, worker, ask):
    await ask()
    doomed = worker(mail_retry_seconds=[600, 600])
    await die(doomed, resources)
    await die(doomed, resources)
    assert await doomed.send_one()
    [mail] = await rows(resources)
    assert (mail.status, mail.attempts, mail.leased_until) == ("queued", 2, None)
    assert mail.due_at > now() + timedelta(minutes=5), "it was no chance: others are not killed with it each time"
    async with resources.sessions.begin() as session:
        await session.execute(update(Mail).values(due_at=now()))
    await die(doomed, resources)
    await drain(doomed)
    [mail] = await rows(resources)
    assert (mail.status, mail.attempts, mail.last_error) == ("failed", 3, leasing.DIED)
    assert mail.failed_at is not None
    assert server.mails == []
    assert await outbox_types(resources.engine) == ["notification.email.failed.v1"]


async def test_a_kill_in_the_middle_costs_a_try_and_no_mail(resources, server, worker, ask):
    message_id = await ask()
    await die(worker(), resources)
    await drain(worker())
    assert ids(server) == [message_id]
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("sent", 2)]


async def test_a_worker_that_dies_in_the_middle_leaves_the_mail_to_others_later(resources, server, worker, ask):
    message_id = await ask()
    server.hangs["RCPT"] = 1
    async with asyncio.timeout(PATIENCE):
        dying = asyncio.create_task(worker().send_one())
        await server.hanging.wait()
        await end(dying)
    other = worker()
    await drain(other)
    assert ids(server) == []
    await end_leases(resources)
    await drain(other)
    assert ids(server) == [message_id]


async def test_who_lost_the_lease_writes_nothing(resources, server, worker, ask):
    """It stood still for so long that another one has the mail."""
    await ask()
    server.hangs["dot"] = 1
    async with asyncio.timeout(PATIENCE):
        slow = asyncio.create_task(worker().send_one())
        await server.hanging.wait()
        await end_leases(resources)
        assert await worker().send_one()
        before = (await rows(resources))[0].sent_at
        server.released.set()
        await slow
    [mail] = await rows(resources)
    assert (mail.status, mail.sent_at, mail.attempts) == ("sent", before, 2)
    assert await outbox_types(resources.engine) == ["notification.email.sent.v1"]
