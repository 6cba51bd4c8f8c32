"""A mail in hand is nobody else's: what the database does meanwhile doubles none, and no mail stops the others."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from structlog.testing import capture_logs

from grove.contracts.auth import MailRequested
from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.outbox.postgres import Outbox
from grove.testing import smtp
from grove.testing.postgres import outbox_types
from grove.testing.smtp import SmtpServer, serving
from grove_notification.mails.repository import MailRepository
from grove_notification.mails.sending import leasing, recording, sender
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Mail
from grove_notification.resources import Resources

pytestmark = pytest.mark.integration

PATIENCE = 60
KILL = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND usename = current_user AND pid <> pg_backend_pid()"
)


@pytest.fixture
async def server():
    async with serving(SmtpServer()) as server:
        yield server


@pytest.fixture
async def worker(settings, resources, server):
    """Makes workers that send to the server, each with resources of its own."""
    made: list[tuple[Resources, MailSender]] = []

    def worker(**changes) -> MailSender:
        own = Resources(settings.model_copy(update={"smtp_port": server.port, "mail_retry_seconds": [0] * 5} | changes))
        made.append((own, MailSender(own)))
        return made[-1][1]

    yield worker
    for own, each in made:
        await each.aclose()
        await own.aclose()


@pytest.fixture
def ask(resources, happen):
    async def ask(to: str = "ada@example.com") -> str:
        """The Message-ID of a mail that is queued now."""
        mail_id = new_id()
        content = {"to": to, "variables": {"name": "Ada", "code": "123456", "minutes": 5}}
        sealed = resources.mail_cipher.seal(json.dumps(content), purpose=f"mail:{mail_id}")
        await happen("auth", MailRequested(mail_id=mail_id, template="mfa_code", locale="en", sealed=sealed))
        return f"<{mail_id}@grove.example>"

    return ask


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


async def test_an_erased_mail_is_not_written_anew(resources, server, worker, ask):
    await ask()
    server.hangs["dot"] = 1
    async with asyncio.timeout(PATIENCE):
        sending = asyncio.create_task(worker().send_one())
        await server.hanging.wait()
        async with resources.sessions.begin() as session:
            await session.execute(text("DELETE FROM mails"))
        server.released.set()
        await sending
    assert await rows(resources) == []


@pytest.mark.parametrize("said", [b"Empf\xe4nger unbekannt", b"bad \x00 byte", b"\x1b[2Jred\x7f", "ü \ufffe ".encode()])
@pytest.mark.parametrize(("code", "status"), [(450, "queued"), (550, "bounced")])
async def test_whatever_bytes_a_server_says_are_written_down(
    resources, server, worker, ask, monkeypatch, said, code, status
):
    """In Latin 1, with NUL: the mail is put off or given up, and the others go on."""
    monkeypatch.setattr("grove.testing.smtp._say", say_bytes)
    server.answers["RCPT"] = [f"{code} ".encode() + said]  # type: ignore[list-item]
    await ask()
    good = await ask("bob@example.com")
    await drain(worker(mail_retry_seconds=[3600]))
    bad, other = await rows(resources)
    assert (bad.status, bad.attempts, other.status) == (status, 1, "sent")
    assert str(code) in bad.last_error
    assert bad.last_error.isprintable()
    assert ids(server) == [good]


def say_bytes(writer, *lines) -> None:
    for line in lines:
        writer.write((line if isinstance(line, bytes) else line.encode()) + b"\r\n")


async def run_until(worker: MailSender, condition) -> None:
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(PATIENCE):
            while not await condition():
                assert not running.done(), "senders never end"
                await asyncio.sleep(0.02)
    finally:
        await end(running)


@pytest.mark.parametrize("bad", [1, 5])
@pytest.mark.parametrize("written_plainly", [True, False])
async def test_a_mail_whose_outcome_can_not_be_written_moves_on_and_starves_nobody(
    resources, server, worker, ask, monkeypatch, bad, written_plainly
):
    monkeypatch.setattr(sender, "LOOK_SECONDS", 0.05)
    doomed = {await ask(f"bad{number}@example.com") for number in range(bad)}
    good = {await ask() for _ in range(20)}

    async def refuses(write, self, lease, outcome) -> bool:
        if f"<{lease.mail.id}@grove.example>" in doomed:
            raise ValueError("no value for a column")
        return await write(self, lease, outcome)

    for name in ("_write",) if written_plainly else ("_write", "_write_plainly"):
        write = getattr(recording.Recording, name)
        monkeypatch.setattr(recording.Recording, name, lambda *args, write=write: refuses(write, *args))
    say = smtp._say

    def later(writer, *lines) -> None:
        refused = lines == ("250 OK",) and server.verbs[-1] == "RCPT" and server.recipients[-1].startswith("bad")
        say(writer, *(["450 later"] if refused else lines))

    monkeypatch.setattr(smtp, "_say", later)

    async def all_good() -> bool:
        return good <= set(ids(server))

    await run_until(worker(mail_retry_seconds=[3600]), all_good)
    for mail in (await rows(resources))[:bad]:
        if written_plainly:
            assert (mail.status, mail.attempts, mail.leased_until) == ("queued", 1, None)
            assert mail.due_at > now() + timedelta(minutes=30)
            assert mail.last_error == "the reason can't be written down"
        else:
            assert mail.leased_until > now(), "it comes back when its lease is over"


async def test_a_mail_that_was_sent_is_marked_so_even_if_nobody_can_be_told(
    resources, server, worker, ask, monkeypatch
):
    async def refuses(*_) -> None:
        raise ValueError("no fact")

    monkeypatch.setattr(Outbox, "add", refuses)
    mail_id = (await rows_after(ask, resources))[0].id
    await drain(worker())
    [mail] = await rows(resources)
    assert (mail.id, mail.status, mail.sealed, mail.attempts) == (mail_id, "sent", None, 1)


async def rows_after(ask, resources) -> list[Mail]:
    await ask()
    return await rows(resources)


async def test_a_mail_that_can_not_be_taken_in_hand_moves_on(resources, server, worker, ask, monkeypatch):
    monkeypatch.setattr(sender, "LOOK_SECONDS", 0.05)
    await ask("bad@example.com")
    bad = (await rows(resources))[0].id
    good = {await ask() for _ in range(10)}
    lease = MailRepository.lease

    async def refuses(self, mail_id, seconds):
        if mail_id == bad:
            raise ValueError("broken")
        return await lease(self, mail_id, seconds)

    monkeypatch.setattr(MailRepository, "lease", refuses)

    async def all_good() -> bool:
        return good <= set(ids(server))

    lasting = worker(mail_retry_seconds=[3600])
    await run_until(lasting, all_good)
    mail = (await rows(resources))[0]
    assert (mail.id, mail.status, mail.attempts) == (bad, "queued", 1)
    assert mail.due_at > now()
    assert mail.last_error == "it can't be taken in hand: ValueError"
    async with resources.sessions.begin() as session:
        await session.execute(update(Mail).values(due_at=now()))
    await drain(lasting)
    mail = (await rows(resources))[0]
    assert mail.status == "failed", "it was tried as often as any other"
    assert mail.failed_at is not None
    assert (await outbox_types(resources.engine))[-1] == "notification.email.failed.v1"


async def test_an_outcome_that_is_written_plainly_needs_the_lease_too(resources, server, worker, ask, monkeypatch):
    async def refuses(*_) -> bool:
        raise ValueError("no value for a column")

    monkeypatch.setattr(leasing, "RENEW_SECONDS", 3600.0)
    server.hangs["dot"] = 1
    await ask()
    slow = worker()
    monkeypatch.setattr(slow._recording, "_write", refuses)
    async with asyncio.timeout(PATIENCE):
        sending = asyncio.create_task(slow.send_one())
        await server.hanging.wait()
        await end_leases(resources)
        lease = await worker()._leasing.take(notices=True)
        server.released.set()
        await sending
    [mail] = await rows(resources)
    assert (mail.status, mail.attempts, mail.leased_until) == ("queued", 1, lease.ends[-1])


async def test_a_reason_that_can_not_be_written_down_is_left_out_and_others_are_told(
    resources, server, worker, ask, monkeypatch
):
    write, asked = recording.Recording._write, []

    async def refuses(self, lease, outcome) -> bool:
        asked.append(outcome.reason)
        if len(asked) == 1:
            raise ValueError("no value for a column")
        return await write(self, lease, outcome)

    monkeypatch.setattr(recording.Recording, "_write", refuses)
    server.answers["RCPT"] = ["554 no"]
    await ask()
    await drain(worker())
    [mail] = await rows(resources)
    assert (mail.status, mail.last_error) == ("failed", "the reason can't be written down")
    assert await outbox_types(resources.engine) == ["notification.email.failed.v1"]


async def test_senders_survive_whatever_happens(resources, server, worker, ask, monkeypatch):
    monkeypatch.setattr(sender, "LOOK_SECONDS", 0.02)
    claim, broken = MailRepository.claim_due, [8]

    async def breaks(self, moment, *, notices=True):
        if broken[0]:
            broken[0] -= 1
            raise RuntimeError("broken")
        return await claim(self, moment, notices=notices)

    monkeypatch.setattr(MailRepository, "claim_due", breaks)
    message_id = await ask()

    async def sent() -> bool:
        return ids(server) == [message_id]

    await run_until(worker(), sent)
    assert broken == [0]
