"""No mail is lost, whatever the mail server does; one is doubled in one case only, and then as the same mail."""

import asyncio
import json
import ssl
from datetime import timedelta
from email import policy

import pytest
from sqlalchemy import select, update

from grove.contracts.auth import MailRequested
from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.secrets import Secrets
from grove.core.tasks import end
from grove.testing.postgres import outbox_types
from grove.testing.smtp import STAGES, SmtpServer, serving
from grove_notification.mails.queue import Letter
from grove_notification.mails.sending import connection, recording, sender
from grove_notification.mails.sending.message import Message
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Mail
from grove_notification.resources import Resources
from grove_stack.pki.authority import Authority

pytestmark = pytest.mark.integration

PATIENCE = 60


@pytest.fixture
async def server():
    async with serving(SmtpServer()) as server:
        yield server


@pytest.fixture
def sending(settings):
    """Resources of a worker that sends to the server: `async with sending(server, mail_retry_seconds=[0])`."""
    return lambda server, **changes: _Sending(
        settings.model_copy(update={"smtp_port": server.port, "mail_retry_seconds": [0] * 5} | changes)
    )


class _Sending:
    def __init__(self, settings) -> None:
        self._resources = Resources(settings)
        self._sender = MailSender(self._resources)

    async def __aenter__(self) -> MailSender:
        return self._sender

    async def __aexit__(self, *_) -> None:
        await self._sender.aclose()
        await self._resources.aclose()


@pytest.fixture
def ask(resources, happen):
    async def ask(**changes) -> str:
        """The Message-ID of a mail that is queued now."""
        mail_id = new_id()
        content = {"to": "ada@example.com", "variables": {"name": "Ada", "token": "t0k3n", "hours": 24}} | changes
        sealed = resources.mail_cipher.seal(json.dumps(content), purpose=f"mail:{mail_id}")
        await happen("auth", MailRequested(mail_id=mail_id, template="verify_email", locale="en", sealed=sealed))
        return f"<{mail_id}@grove.example>"

    return ask


async def rows(resources) -> list[Mail]:
    async with resources.sessions() as session:
        return list(await session.scalars(select(Mail).order_by(Mail.id)))


async def end_leases(resources) -> None:
    """Time goes by."""
    async with resources.sessions.begin() as session:
        await session.execute(update(Mail).values(leased_until=now() - timedelta(seconds=1)))


async def drain(worker: MailSender) -> None:
    async with asyncio.timeout(PATIENCE):
        while await worker.send_one():
            pass


def ids(server: SmtpServer) -> list[str]:
    return [mail["Message-ID"] for mail in server.mails]


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Whoever could not reach the server tries again at once."""
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(recording, "GIVEN_BACK", timedelta(0))


@pytest.mark.parametrize("stage", STAGES)
async def test_a_connection_that_breaks_loses_no_mail_and_doubles_it_only_behind_the_final_dot(
    resources, server, sending, ask, impatient, stage
):
    server.drops[stage] = 1
    message_id = await ask()
    async with sending(server) as worker:
        await drain(worker)
    assert server.drops[stage] == 0, "it broke"
    assert ids(server) == [message_id] * (2 if stage == "dot" else 1)
    [mail] = await rows(resources)
    assert (mail.status, mail.sealed) == ("sent", None)
    assert mail.attempts == (1 if stage in {"connect", "EHLO", "answer"} else 2)
    assert await outbox_types(resources.engine) == ["notification.email.sent.v1"]


async def test_many_mails_survive_a_server_that_breaks_everywhere(resources, server, sending, ask):
    server.drops.update(dict.fromkeys([*STAGES, "RSET"], 3))
    message_ids = [await ask() for _ in range(30)]
    async with sending(server, mail_retry_seconds=[0] * 40) as worker, asyncio.timeout(PATIENCE):
        running = asyncio.create_task(worker.run())
        while any(mail.status != "sent" for mail in await rows(resources)):
            await asyncio.sleep(0.05)
        await end(running)
    assert server.drops["body"] == server.drops["dot"] == 0, "it broke"
    assert sorted(set(ids(server))) == sorted(message_ids)
    assert len(ids(server)) == len(message_ids) + 3, "those whose yes was lost"


@pytest.mark.parametrize("stage", ["RSET", "MAIL", "RCPT"])
@pytest.mark.parametrize("how", ["drops", "421"])
async def test_a_kept_connection_that_was_closed_meanwhile_is_no_failed_try(
    resources, server, sending, ask, stage, how
):
    async with sending(server) as worker:
        first = await ask()
        await drain(worker)
        if how == "drops":
            server.drops[stage] = 1
        else:
            server.answers[stage] = ["421 too long idle"]
        second = await ask()
        await drain(worker)
    assert ids(server) == [first, second]
    assert server.connections == 2
    assert [mail.attempts for mail in await rows(resources)] == [1, 1]


@pytest.mark.parametrize("stage", ["RSET", "MAIL"])
@pytest.mark.parametrize("answer", ["451 4.7.0 too many messages in this session", "503 5.5.1 not now", "550 enough"])
async def test_a_kept_connection_that_takes_no_further_mail_is_replaced_and_no_failed_try(
    resources, server, sending, ask, stage, answer
):
    async with sending(server, mail_retry_seconds=[3600]) as worker:
        message_ids = [await ask()]
        await drain(worker)
        server.answers[stage] = [answer]
        message_ids += [await ask(), await ask()]
        await drain(worker)
    assert ids(server) == message_ids
    assert server.connections == 2
    assert [mail.attempts for mail in await rows(resources)] == [1, 1, 1]


async def test_a_sender_that_is_refused_on_a_fresh_connection_too_is_a_failed_try(resources, server, sending, ask):
    async with sending(server, mail_retry_seconds=[3600]) as worker:
        await ask()
        await drain(worker)
        server.answers["MAIL"] = ["451 not now"] * 2
        await ask()
        await drain(worker)
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("sent", 1), ("queued", 1)]
    assert server.answers["MAIL"] == []


@pytest.mark.parametrize("stage", ["DATA", "body", "dot"])
async def test_a_connection_that_breaks_in_the_content_is_not_begun_anew_at_once(
    resources, server, sending, ask, stage
):
    """Whether the server has the mail is not known here: it is tried later, as any other."""
    async with sending(server, mail_retry_seconds=[3600]) as worker:
        await ask()
        await drain(worker)
        server.drops[stage] = 1
        await ask()
        await drain(worker)
    assert server.connections == 1
    assert [mail.status for mail in await rows(resources)] == ["sent", "queued"]


@pytest.mark.parametrize(
    ("verb", "answer", "status"),
    [
        ("MAIL", "451 try later", "sent"),
        ("MAIL", "421 closing", "sent"),
        ("MAIL", "550 not you", "failed"),
        ("RCPT", "450 greylisted", "sent"),
        ("RCPT", "550 nobody here", "bounced"),
        ("RCPT", "550 5.1.1 nobody here", "bounced"),
        ("RCPT", "552 5.2.2 mailbox full", "bounced"),
        ("RCPT", "551 moved away", "bounced"),
        ("RCPT", "553 no such name", "bounced"),
        ("RCPT", "554 5.7.1 Relay access denied", "failed"),
        ("RCPT", "550 5.7.1 blocked by policy", "failed"),
        ("RCPT", "550 5.1.8 sender's domain unknown", "failed"),
        ("RCPT", "530 5.7.0 authentication required", "failed"),
        ("RCPT", "554 no", "failed"),
        ("RCPT", "552 too much", "failed"),
        ("RCPT", "450 5.1.1 odd", "sent"),
        ("MAIL", "550 5.1.1 not you", "failed"),
        ("dot", "550 5.1.1 nobody here", "bounced"),
        ("dot", "550 no", "failed"),
        ("DATA", "451 try later", "sent"),
        ("DATA", "554 no", "failed"),
        ("dot", "452 no space", "sent"),
        ("dot", "554 looks like spam", "failed"),
    ],
)
async def test_answers(resources, server, sending, ask, verb, answer, status):
    server.answers[verb] = [answer]
    message_id = await ask()
    async with sending(server) as worker:
        await drain(worker)
        another = await ask()
        await drain(worker)
    mail = (await rows(resources))[0]
    assert mail.status == status
    assert ids(server) == ([message_id, another] if status == "sent" else [another])
    if status != "sent":
        assert answer in (mail.last_error or "")
        assert mail.sealed, "an operator can have it sent again"
        assert (await outbox_types(resources.engine))[0] == "notification.email.failed.v1"


@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "body", "dot"])
async def test_a_server_that_says_nothing_holds_nobody_up_and_doubles_only_behind_the_final_dot(
    resources, server, sending, ask, impatient, monkeypatch, stage
):
    monkeypatch.setattr(connection, "STEP_SECONDS", 1.0)
    server.hangs[stage] = 1
    message_id = await ask()
    async with sending(server, smtp_data_seconds=1.0) as worker:
        await drain(worker)
    assert ids(server) == [message_id] * (2 if stage == "dot" else 1)
    [mail] = await rows(resources)
    assert (mail.status, mail.attempts) == ("sent", 1 if stage in {"connect", "EHLO"} else 2)


async def test_a_slow_yes_is_waited_for_longer_than_other_answers(resources, server, sending, ask, monkeypatch):
    monkeypatch.setattr(connection, "STEP_SECONDS", 0.5)
    server.hangs["dot"] = 1
    message_id = await ask()
    async with sending(server) as worker, asyncio.timeout(PATIENCE):
        delivery = asyncio.create_task(worker.send_one())
        await server.hanging.wait()
        await asyncio.sleep(1)
        assert not delivery.done()
        server.released.set()
        await delivery
        await drain(worker)
    assert ids(server) == [message_id]
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("sent", 1)]


async def test_a_line_that_begins_with_a_dot_ends_no_mail(settings, server):
    message = Message(policy=policy.SMTP)
    message["From"], message["To"] = "grove@grove.example", "ada@example.com"
    message.set_content(".\n..two\nend\n")
    sending = connection.SmtpConnection(settings.model_copy(update={"smtp_port": server.port}))
    await sending.send(message, on_content=lambda: None)
    await sending.send(message, on_content=lambda: None)
    await sending.aclose()
    assert [mail.get_content().split() for mail in server.mails] == [["..", "...two", "end"]] * 2, (
        "each with a dot more"
    )


async def test_a_refused_sign_in_is_no_try_and_readiness_says_why(
    resources, settings, sending, ask, impatient, tmp_path
):
    (tmp_path / "smtp_password").write_text("wrong")
    for secret in settings.secrets_dir.iterdir():
        (tmp_path / secret.name).symlink_to(secret)
    server = SmtpServer(auth=True)
    server.answers["AUTH"] = ["535 5.7.8 wrong password"] * 3
    async with serving(server):
        message_id = await ask()
        async with sending(server, smtp_user="grove", secrets=Secrets(tmp_path), mail_retry_seconds=[]) as worker:
            for _ in range(2):
                await drain(worker)
                assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("queued", 0)]
                assert "535 5.7.8 wrong password" in (await worker.check() or "")
            await drain(worker)
            assert await worker.check() is None
    assert ids(server) == [message_id], "a password that is right is taken"


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    authority.create("Mail")
    return authority


@pytest.fixture(scope="module")
def tls(authority, tmp_path_factory) -> ssl.SSLContext:
    file = tmp_path_factory.mktemp("mail") / "mail.pem"
    authority.issue("localhost", uri=None, hosts=["localhost"], into=file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_starttls_is_used_and_the_server_proves_who_it_is(authority, tls, sending, ask):
    async with serving(SmtpServer(starttls=tls)) as server:
        message_id = await ask()
        changes = {"smtp_host": "localhost", "smtp_tls": "starttls", "smtp_ca_file": authority.certificate_file}
        async with sending(server, **changes) as worker:
            await drain(worker)
    assert ids(server) == [message_id]
    assert server.encrypted == 1
    assert server.verbs.index("STARTTLS") < server.verbs.index("MAIL")


async def test_tls_from_the_first_byte(authority, tls, sending, ask):
    async with serving(SmtpServer(), tls=tls) as server:
        message_id = await ask()
        changes = {"smtp_host": "localhost", "smtp_tls": "tls", "smtp_ca_file": authority.certificate_file}
        async with sending(server, **changes) as worker:
            await drain(worker)
    assert ids(server) == [message_id]


async def test_without_starttls_nothing_goes_in_the_clear(resources, server, sending, ask):
    await ask()
    async with sending(server, smtp_tls="starttls", mail_retry_seconds=[]) as worker:
        await drain(worker)
        assert "STARTTLS" in (await worker.check() or "")
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("queued", 0)]
    assert set(server.verbs) <= {"EHLO", "QUIT"}


async def test_a_server_that_nobody_vouches_for_gets_nothing(resources, tls, sending, ask):
    async with serving(SmtpServer(starttls=tls)) as server:
        await ask()
        async with sending(server, smtp_host="localhost", smtp_tls="starttls", mail_retry_seconds=[]) as worker:
            await drain(worker)
            assert "CERTIFICATE_VERIFY_FAILED" in (await worker.check() or "")
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("queued", 0)]
    assert "MAIL" not in server.verbs


async def test_what_can_not_be_made_into_a_mail_is_given_up_at_once_and_others_go_on(resources, server, sending, ask):
    await ask(variables={"name": "Ada"})
    await ask(to="no address")
    async with resources.sessions.begin() as session:
        letter = Letter(template="welcome", to="a@example.com", user_id=new_id(), locale="en")
        await resources.mail_queue.add(session, letter)
        await session.execute(update(Mail).where(Mail.template == "welcome").values(template="nonsense"))
    message_id = await ask()
    async with sending(server) as worker:
        await drain(worker)
    first, second, third, last = await rows(resources)
    assert [each.status for each in (first, second, third, last)] == ["failed", "failed", "failed", "sent"]
    assert "'token' is undefined" in (first.last_error or "")
    assert "no mail template 'nonsense'" in (third.last_error or "")
    assert {each.attempts for each in (first, second, third)} == {1}
    assert ids(server) == [message_id]


async def test_a_worker_that_ends_lets_the_mail_in_hand_arrive_once(resources, server, sending, ask):
    server.hangs["dot"] = 1
    message_id = await ask()
    async with sending(server) as worker, asyncio.timeout(PATIENCE):
        running = asyncio.create_task(worker.run())
        await server.hanging.wait()
        ending = asyncio.create_task(end(running))
        await asyncio.sleep(0.2)
        assert not ending.done()
        server.released.set()
        await ending
        await drain(worker)
    assert ids(server) == [message_id]
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("sent", 1)]


@pytest.mark.parametrize("stage", ["RCPT", "dot"])
async def test_a_worker_cut_off_in_the_middle_leaves_the_mail_to_others(
    resources, server, sending, ask, monkeypatch, stage
):
    monkeypatch.setattr(sender, "FINISH_SECONDS", 0.2)
    server.hangs[stage] = 1
    message_id = await ask()
    async with sending(server) as worker, asyncio.timeout(PATIENCE):
        running = asyncio.create_task(worker.run())
        await server.hanging.wait()
        await end(running)
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("queued", 0)]
    arrived = [message_id] if stage == "dot" else []
    async with sending(server) as other:
        await drain(other)
        assert ids(server) == arrived, "whether the server has it nobody knows, and its lease lasts"
        await end_leases(resources)
        await drain(other)
    assert ids(server) == [*arrived, message_id]
    assert [(mail.status, mail.attempts) for mail in await rows(resources)] == [("sent", 2)]


async def test_mails_share_connections(resources, server, sending, ask):
    message_ids = [await ask() for _ in range(30)]
    async with sending(server) as worker, asyncio.timeout(PATIENCE):
        running = asyncio.create_task(worker.run())
        while any(mail.status != "sent" for mail in await rows(resources)):
            await asyncio.sleep(0.05)
        await end(running)
        assert server.verbs.count("QUIT") == server.connections, "it says goodbye"
    assert sorted(ids(server)) == sorted(message_ids)
    assert server.connections <= 4


async def test_a_connection_is_renewed_after_so_many_mails_and_closed_when_idle(
    resources, server, sending, ask, monkeypatch
):
    monkeypatch.setattr(connection, "MOST_MAILS", 3)
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.0)
    message_ids = [await ask() for _ in range(7)]
    async with sending(server, mail_senders=1) as worker, asyncio.timeout(PATIENCE):
        running = asyncio.create_task(worker.run())
        while server.verbs.count("QUIT") < 3:
            await asyncio.sleep(0.05)
        await end(running)
    assert sorted(ids(server)) == sorted(message_ids)
    assert server.connections == 3
