"""What waits is looked at again when it is sent: quiet hours, its reader's choice, their address, their limit."""

import asyncio
from datetime import datetime, time, timedelta
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import delete, select, text, update

from grove.contracts.auth import UserEmailChanged, UserRegistered, UserUpdated
from grove.contracts.resource import TaskReminderDue, TaskShared
from grove.core.clock import now
from grove.core.ids import new_id
from grove.security.encryption import new_key
from grove.testing.smtp import SmtpServer, serving
from grove_notification.digests.mailing import DigestMailing
from grove_notification.mails import repository
from grove_notification.mails.addresses import address_mac
from grove_notification.mails.queue import Letter, MailQueue
from grove_notification.mails.repository import MailRepository
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Digest, DigestItem, Mail, Preferences, User
from grove_notification.resources import Resources
from grove_notification.unsubscribing.links import Unsubscribing

pytestmark = pytest.mark.integration

PATIENCE = 60
ADA = new_id()
URL = "/api/v1/notification-preferences"
PACE = timedelta(seconds=3600 / 30)


@pytest.fixture
async def server():
    async with serving(SmtpServer()) as server:
        yield server


@pytest.fixture
async def worker(settings, resources, server):
    """Makes workers: `worker(mail_recipient_per_hour=30)`."""
    made: list[tuple[Resources, MailSender]] = []
    for address in ("ada@example.com", "new@example.com"):
        mac = address_mac(resources.mail_cipher, address).hex()
        await resources.valkey.delete(f"notification:limit:mail-recipient:{mac}")

    def worker(cipher=None, **changes) -> MailSender:
        none = {"mail_recipient_per_hour": 0, "mail_notices_per_second": 0, "mail_retry_seconds": [0] * 5}
        given = none | {"limits": "production", "smtp_port": server.port} | changes
        own = Resources(settings.model_copy(update=given))
        own.mail_cipher = cipher or own.mail_cipher
        made.append((own, MailSender(own)))
        return made[-1][1]

    yield worker
    for own, sender in made:
        await sender.aclose()
        await own.aclose()


@pytest.fixture
async def ada(resources) -> None:
    known = {"locale": "en", "timezone": "UTC", "sequence": 1, "email_sequence": 0}
    async with resources.sessions.begin() as session:
        session.add(User(id=ADA, email="ada@example.com", updated_at=now(), **known))


@pytest.fixture
def change(resources):
    async def change(model, *conditions, **values) -> None:
        async with resources.sessions.begin() as session:
            await session.execute(update(model).where(*conditions).values(**values))

    return change


@pytest.fixture
def quiet(resources):
    """It is quiet from now on for three hours, by the clock of UTC or another one; or no more."""

    async def quiet(start: timedelta | None = timedelta(hours=-1)) -> datetime:
        async with resources.sessions.begin() as session:
            await session.execute(delete(Preferences))
            moment = now().replace(second=0, microsecond=0)
            if start is not None:
                begins, ends = moment + start, moment + start + timedelta(hours=3)
                hours = {"quiet_start": begins.time(), "quiet_end": ends.time()}
                chosen = {"types": {}, "digest": "off", "digest_at": time(8), "version": 1, "updated_at": now()}
                session.add(Preferences(user_id=ADA, **chosen, **hours))
        return moment + timedelta(hours=2)

    return quiet


@pytest.fixture
def queue(resources):
    async def queue(*titles: str, mails: MailQueue = resources.mail_queue) -> None:
        async with resources.sessions.begin() as session:
            for title in titles:
                letter = Letter(
                    template="notification",
                    to="ada@example.com",
                    user_id=ADA,
                    locale="en",
                    subject=title,
                    notification_type="TASK_SHARED",
                    variables={"title": title, "message": "m", "link": None},
                )
                await mails.add(session, letter)

    return queue


def shared() -> TaskShared:
    given = {"share_id": new_id(), "task_id": new_id(), "user_id": new_id(), "with_user_id": ADA}
    return TaskShared(**given, title="Plant", role="editor", shared_at=now())


def reminder() -> TaskReminderDue:
    return TaskReminderDue(task_id=new_id(), user_id=ADA, reminder_id=new_id(), title="Plant", fired_at=now())


async def rows(resources, model=Mail) -> list:
    async with resources.sessions() as session:
        return list(await session.scalars(select(model).order_by(*model.__table__.primary_key)))


async def drain(worker: MailSender) -> None:
    async with asyncio.timeout(PATIENCE):
        while await worker.send_one():
            pass


async def choose(client, issuer, *, off=(), quiet=None, digest="off") -> None:
    types = {name: {"in_app": True, "email": False, "webhook": True} for name in off}
    body = {"types": types, "quiet_hours": quiet, "digest": {"frequency": digest, "at": "08:00"}}
    answer = await client.put(URL, json=body, headers=issuer.headers(ADA))
    assert answer.status_code == 200, answer.text


async def test_quiet_hours_that_began_meanwhile_hold_a_notice(resources, server, worker, ada, queue, quiet, change):
    """It waited for a limit, or while the mail server or this service was away."""
    await queue("a")
    ends = await quiet()
    sender = worker()
    await drain(sender)
    [mail] = await rows(resources)
    assert (mail.status, mail.due_at, mail.attempts, len(server.mails)) == ("queued", ends, 0, 0)
    await quiet(None)
    await change(Mail, due_at=now())
    await drain(sender)
    assert len(server.mails) == 1


async def test_quiet_hours_hold_a_notice_that_is_tried_again(resources, server, worker, ada, queue, quiet):
    server.answers["RCPT"] = ["450 greylisted"]
    await queue("a")
    sender = worker()
    await sender.send_one()
    ends = await quiet()
    await drain(sender)
    [mail] = await rows(resources)
    assert (mail.status, mail.due_at, mail.attempts, len(server.mails)) == ("queued", ends, 1, 0)


async def test_quiet_hours_hold_a_digest_that_became_due(resources, server, worker, ada, quiet, happen, client, issuer):
    await choose(client, issuer, digest="hourly")
    await happen("resource", shared())
    ends = await quiet()
    async with resources.sessions.begin() as session:
        await session.execute(update(Digest).values(due_at=now()))
    assert await DigestMailing(resources.sessions, resources.mail_queue).mail_one()
    await drain(worker())
    [mail] = await rows(resources)
    assert (mail.template, mail.status, mail.due_at, len(server.mails)) == ("digest", "queued", ends, 0)


async def test_quiet_hours_are_those_of_the_clock_the_reader_has_now(
    resources, server, worker, ada, queue, quiet, change
):
    await queue("a")
    await quiet(timedelta(hours=8))
    await change(User, timezone="Asia/Tokyo")
    await drain(worker())
    [mail] = await rows(resources)
    assert (mail.status, len(server.mails)) == ("queued", 0)
    assert mail.due_at > now() + timedelta(hours=1)


async def test_quiet_hours_hold_no_mail_about_the_account(resources, server, worker, ada, quiet):
    await quiet()
    async with resources.sessions.begin() as session:
        letter = Letter(template="welcome", to="a@example.com", user_id=ADA, locale="en", variables={"name": "Ada"})
        await resources.mail_queue.add(session, letter)
    await drain(worker())
    assert len(server.mails) == 1


async def test_new_quiet_hours_move_an_open_digest_and_none_move_it_back(resources, ada, happen, client, issuer):
    await choose(client, issuer, digest="hourly")
    await happen("resource", shared())
    [before] = await rows(resources, Digest)
    moment = now()
    night = {"start": f"{moment - timedelta(minutes=5):%H:%M}", "end": f"{moment + timedelta(hours=8):%H:%M}"}
    await choose(client, issuer, digest="hourly", quiet=night)
    [held] = await rows(resources, Digest)
    assert held.due_at == (moment + timedelta(hours=8)).replace(second=0, microsecond=0)
    await choose(client, issuer, digest="hourly")
    [back] = await rows(resources, Digest)
    assert before.due_at <= back.due_at <= now() + timedelta(hours=1)


async def test_a_notice_that_was_tried_follows_a_new_end_of_quiet_hours(
    resources, server, worker, ada, queue, client, issuer
):
    server.answers["RCPT"] = ["450 greylisted"]
    await queue("held", "tried")
    sender = worker()
    await sender.send_one()
    moment = now()
    begins = f"{moment - timedelta(hours=1):%H:%M}"
    for hours in (8, 5):
        end = moment.replace(second=0, microsecond=0) + timedelta(hours=hours)
        await choose(client, issuer, quiet={"start": begins, "end": f"{end:%H:%M}"})
        await drain(sender)
        assert [(mail.status, mail.due_at) for mail in await rows(resources)] == [("queued", end)] * 2
    await choose(client, issuer)
    await drain(sender)
    assert sorted(mail["Subject"] for mail in server.mails) == ["held", "tried"]


async def test_a_notice_that_waits_for_its_next_try_does_so_whatever_quiet_hours_end(
    resources, server, worker, ada, queue, client, issuer
):
    server.answers["RCPT"] = ["450 greylisted"]
    await queue("tried")
    await worker(mail_retry_seconds=[3600]).send_one()
    [before] = await rows(resources)
    moment = now()
    night = {"start": f"{moment - timedelta(hours=1):%H:%M}", "end": f"{moment + timedelta(hours=8):%H:%M}"}
    await choose(client, issuer, quiet=night)
    await choose(client, issuer)
    assert [mail.due_at for mail in await rows(resources)] == [before.due_at]


async def test_another_clock_moves_what_was_tried_too(resources, server, worker, ada, queue, client, issuer, happen):
    server.answers["RCPT"] = ["450 greylisted"]
    await queue("tried")
    sender = worker()
    await sender.send_one()
    moment = now()
    ends = (moment + timedelta(hours=8)).replace(second=0, microsecond=0)
    await choose(client, issuer, quiet={"start": f"{moment - timedelta(hours=8):%H:%M}", "end": f"{ends:%H:%M}"})
    await drain(sender)
    assert [mail.due_at for mail in await rows(resources)] == [ends]
    await happen("auth", UserUpdated(user_id=ADA, locale="en", timezone="Etc/GMT-2", roles=[]), sequence=2)
    assert [mail.due_at for mail in await rows(resources)] == [ends - timedelta(hours=2)]


@pytest.fixture
def digest(resources):
    """Queues a digest's mail of such items; None: of before they had types."""

    async def digest(*types: str | None) -> None:
        items = [
            {"title": f"of {name}", "message": "m", "link": None} | ({"type": name} if name else {}) for name in types
        ]
        letter = Letter(template="digest", to=None, user_id=ADA, locale="en", variables={"items": items, "more": 3})
        async with resources.sessions.begin() as session:
            await resources.mail_queue.add(session, letter)

    return digest


async def test_a_digest_that_waits_loses_what_was_switched_off(resources, server, worker, ada, digest, client, issuer):
    await digest("TASK_SHARED", "PROVIDER_FAILED", None)
    await choose(client, issuer, off=["TASK_SHARED"])
    server.answers["RCPT"] = ["450 later"]
    await drain(worker())
    [mail] = server.mails
    text = mail.get_body(("plain",)).get_content()
    assert [f"of {name}" in text for name in ("TASK_SHARED", "PROVIDER_FAILED", None)] == [False, True, True]


async def test_a_digest_of_which_nothing_is_left_is_not_sent(resources, server, worker, ada, digest, client, issuer):
    await digest("TASK_SHARED", "TASK_SHARED")
    await choose(client, issuer, off=["TASK_SHARED"])
    await drain(worker())
    [mail] = await rows(resources)
    assert (mail.status, mail.sealed, server.mails) == ("suppressed", None, [])


async def test_a_digest_that_does_not_open_is_given_up(resources, server, worker, ada, digest, change):
    await digest("TASK_SHARED")
    await change(Mail, sealed="nonsense")
    await drain(worker())
    [mail] = await rows(resources)
    assert (mail.status, server.mails) == ("failed", [])


def token(resources, notification_type) -> dict:
    return {"token": Unsubscribing(ADA, notification_type).token(resources.mail_cipher)}


async def test_unsubscribing_drops_what_was_tried_already(resources, server, worker, ada, happen, client):
    server.answers["RCPT"] = ["450 greylisted"]
    sender = worker()
    await happen("resource", shared())
    await sender.send_one()
    assert (await client.post(f"{URL}/unsubscribe", params=token(resources, "TASK_SHARED"))).status_code == 204
    [mail] = await rows(resources)
    assert (mail.status, mail.sealed, mail.attempts) == ("suppressed", None, 1)
    await drain(sender)
    assert server.mails == []


async def test_the_link_of_a_digest_drops_digests_that_wait(resources, server, worker, ada, happen, client, issuer):
    await choose(client, issuer, digest="hourly")
    await happen("resource", shared())
    async with resources.sessions.begin() as session:
        await session.execute(update(Digest).values(due_at=now()))
    await DigestMailing(resources.sessions, resources.mail_queue).mail_one()
    assert (await client.post(f"{URL}/unsubscribe", params=token(resources, None))).status_code == 204
    [mail] = await rows(resources)
    assert (mail.template, mail.status) == ("digest", "suppressed")
    await drain(worker())
    assert server.mails == []


async def test_the_link_of_a_type_leaves_digests(resources, server, worker, ada, happen, client, issuer):
    await choose(client, issuer, digest="hourly")
    await happen("resource", shared())
    async with resources.sessions.begin() as session:
        await session.execute(update(Digest).values(due_at=now()))
    await DigestMailing(resources.sessions, resources.mail_queue).mail_one()
    await client.post(f"{URL}/unsubscribe", params=token(resources, "TASK_REMINDER"))
    await drain(worker())
    [mail] = server.mails
    link = urlsplit(mail["List-Unsubscribe"].strip("<>"))
    assert Unsubscribing.of(parse_qs(link.query)["token"][0], resources.mail_cipher) == Unsubscribing(ADA, None)


async def test_a_type_that_is_switched_off_leaves_the_open_digest_which_goes_when_empty(
    resources, ada, happen, client, issuer
):
    await choose(client, issuer, digest="hourly")
    await happen("resource", shared())
    async with resources.sessions.begin() as session:
        session.add(
            DigestItem(
                id=new_id(),
                user_id=ADA,
                key="mail",
                type="PROVIDER_FAILED",
                title="t",
                message="m",
                link=None,
                created_at=now(),
            )
        )
    await choose(client, issuer, digest="hourly", off=["TASK_SHARED"])
    assert [item.type for item in await rows(resources, DigestItem)] == ["PROVIDER_FAILED"]
    await choose(client, issuer, digest="hourly", off=["TASK_SHARED", "PROVIDER_FAILED"])
    assert (await rows(resources, DigestItem), await rows(resources, Digest)) == ([], [])


async def test_a_notice_of_a_type_that_is_switched_off_is_not_sent_however_it_came_to_wait(
    resources, server, worker, ada, queue
):
    """The fact was told by the choice of before, and committed after the new one."""
    chosen = {"digest": "off", "digest_at": time(8), "version": 1, "updated_at": now()}
    async with resources.sessions.begin() as session:
        session.add(Preferences(user_id=ADA, types={"TASK_SHARED": {"email": False}}, **chosen))
    await queue("a")
    await drain(worker())
    [mail] = await rows(resources)
    assert (mail.status, mail.sealed, server.mails) == ("suppressed", None, [])


@pytest.mark.parametrize(("answer", "status"), [("450 later", "suppressed"), ("250 OK", "sent")])
async def test_a_notice_in_hand_when_its_reader_unsubscribes_is_not_tried_again(
    resources, server, worker, ada, queue, client, answer, status
):
    await queue("a")
    server.hangs["RCPT"] = 1
    server.answers["RCPT"] = [answer]
    sender = worker()
    async with asyncio.timeout(PATIENCE):
        sending = asyncio.create_task(sender.send_one())
        await server.hanging.wait()
        assert (await client.post(f"{URL}/unsubscribe", params=token(resources, "TASK_SHARED"))).status_code == 204
        server.released.set()
        await sending
    await drain(sender)
    [mail] = await rows(resources)
    assert (mail.status, mail.sealed, mail.leased_until) == (status, None, None)


async def test_a_notice_goes_where_the_account_is_when_it_is_sent(resources, server, worker, ada, happen, quiet):
    await quiet()
    await happen("resource", shared())
    moved = UserEmailChanged(user_id=ADA, email="new@example.com", how="changed", changed_at=now())
    await happen("auth", moved, sequence=2)
    await quiet(None)
    async with resources.sessions.begin() as session:
        await session.execute(update(Mail).values(due_at=now()))
    await drain(worker())
    assert server.recipients == ["new@example.com"]
    [mail] = await rows(resources)
    assert mail.masked == "n•••@example.com"
    assert mail.address_mac == address_mac(resources.mail_cipher, "new@example.com")


async def test_a_fact_that_overtakes_the_registration_waits_for_the_address(resources, server, worker, happen, change):
    await happen("resource", shared())
    sender, pauses = worker(), []
    for waited in (0, 60, 600, 3600 * 5):
        await change(Mail, due_at=now(), created_at=now() - timedelta(seconds=waited))
        assert await sender.send_one()
        [mail] = await rows(resources)
        assert (mail.status, mail.attempts, mail.masked) == ("queued", 0, None)
        pauses.append(round((mail.due_at - now()).total_seconds() / 10) * 10)
    assert pauses == [10, 60, 600, 3600]
    registered = {"email": "ada@example.com", "name": "Ada", "locale": "en", "timezone": "UTC", "greet": False}
    await happen("auth", UserRegistered(user_id=ADA, roles=["user"], registered_at=now(), **registered))
    await change(Mail, due_at=now())
    await drain(sender)
    assert server.recipients == ["ada@example.com"]


async def test_a_notice_without_an_address_is_suppressed_after_a_day(resources, worker, happen, change):
    await happen("resource", shared())
    await change(Mail, due_at=now(), created_at=now() - timedelta(hours=25))
    await drain(worker())
    [mail] = await rows(resources)
    assert (mail.status, mail.last_error) == ("suppressed", "its reader's account has no address")


async def test_what_waits_for_a_limit_is_spread_once_and_in_order(resources, server, worker, ada, queue, monkeypatch):
    monkeypatch.setattr(repository, "AT_ONCE", 50)
    moved: list[int] = []
    spread = MailRepository.spread_notices

    async def counted(self, *args) -> int:
        for setting in ("enable_hashjoin", "enable_mergejoin", "enable_hashagg", "enable_sort", "enable_material"):
            await self._session.execute(text(f"SET LOCAL {setting} = off"))  # a subquery runs once for each row
        moved.append(await spread(self, *args))
        return moved[-1]

    monkeypatch.setattr(MailRepository, "spread_notices", counted)
    titles = [f"{number:03}" for number in range(200)]
    await queue(*titles)
    sender = worker(mail_recipient_per_hour=30)
    await drain(sender)
    assert len(server.mails) >= 30
    assert sum(moved) <= 170
    assert max(moved) <= 50
    waiting = [mail for mail in await rows(resources) if mail.status == "queued"]
    gaps = {later.due_at - mail.due_at for mail, later in pairwise(waiting)}
    assert all(PACE / 2 <= gap <= PACE * 1.5 for gap in gaps)
    assert waiting[0].due_at > now()
    last = waiting[-1].due_at
    await queue("new")
    moved.clear()
    await drain(sender)
    assert sum(moved) <= 1, "what waits already stays where it is"
    assert (await rows(resources))[-1].due_at > last, "and what is new comes after it"
    async with resources.sessions.begin() as session:
        await session.execute(update(Mail).values(due_at=Mail.due_at - timedelta(days=2)))
    await drain(worker())
    assert [mail["Subject"] for mail in server.mails] == [*titles, "new"]


async def test_what_was_tried_is_spread_by_a_limit_as_well(resources, server, worker, ada, queue, change, monkeypatch):
    claims: list[Mail] = []
    claim = MailRepository.claim_due

    async def counted(self, moment, *, notices=True):
        mail = await claim(self, moment, notices=notices)
        claims.extend([mail] if mail else [])
        return mail

    monkeypatch.setattr(MailRepository, "claim_due", counted)
    await queue(*(f"{number:02}" for number in range(40)))
    await change(Mail, attempts=1)
    await drain(worker(mail_recipient_per_hour=1))
    assert (len(claims), len(server.mails)) == (2, 1)
    waiting = [mail for mail in await rows(resources) if mail.status == "queued"]
    gaps = {later.due_at - mail.due_at for mail, later in pairwise(waiting)}
    assert all(timedelta(minutes=59) < gap < timedelta(minutes=61) for gap in gaps)


async def test_a_bounce_is_remembered_over_a_rotation_of_the_key(resources, server, worker, ada, queue, change):
    await queue("a")
    await change(Mail, status="bounced", bounced_at=now())
    old = resources.settings.secrets.read("mail_key_ring")
    ring = f"{new_key('next')}\n{old}"
    rotated = type(resources.mail_cipher)(lambda: ring)
    await queue("b", mails=MailQueue(rotated))
    await drain(worker(cipher=rotated))
    assert [mail.status for mail in await rows(resources)] == ["bounced", "suppressed"]
    assert server.mails == []
