"""What became of a mail is written, whatever a server said and whatever the database refuses; none stops the others."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from grove.core.clock import now
from grove.core.tasks import end
from grove.outbox.postgres import Outbox
from grove.testing import smtp
from grove.testing.postgres import outbox_types
from grove.testing.smtp import SmtpServer
from grove_notification.mails.repository import MailRepository
from grove_notification.mails.sending import leasing, recording, sender
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Mail

pytestmark = pytest.mark.integration

PATIENCE = 60


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
