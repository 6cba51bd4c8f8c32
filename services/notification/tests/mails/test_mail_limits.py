"""Notices wait for their limits and for addresses that bounced; security mails wait for nothing."""

import asyncio
import json
import re
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from grove.contracts.auth import MailRequested
from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.testing.smtp import SmtpServer, serving
from grove.web.rate_limit import Limit, RateLimiter
from grove_notification.mails.addresses import address_mac
from grove_notification.mails.queue import Letter
from grove_notification.mails.sending.limits import NoticeLimits
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Mail, User
from grove_notification.resources import Resources

pytestmark = pytest.mark.integration

PATIENCE = 60
ADA, BOB = "ada@example.com", "bob@example.com"


@pytest.fixture
async def server():
    async with serving(SmtpServer()) as server:
        yield server


@pytest.fixture
async def worker(settings, resources, server):
    """Makes a worker with limits of its own: `await worker(mail_recipient_per_hour=3)`."""
    made: list[tuple[Resources, MailSender]] = []
    await resources.valkey.delete("notification:limit:mail-notices:all")
    for address in (ADA, BOB):
        mac = address_mac(resources.mail_cipher, address).hex()
        await resources.valkey.delete(f"notification:limit:mail-recipient:{mac}")

    async def worker(**changes) -> MailSender:
        none = {"mail_recipient_per_hour": 0, "mail_notices_per_second": 0}
        given = none | {"limits": "production", "smtp_port": server.port} | changes
        own = Resources(settings.model_copy(update=given))
        made.append((own, MailSender(own)))
        return made[-1][1]

    yield worker
    for own, sender in made:
        await sender.aclose()
        await own.aclose()


@pytest.fixture
async def people(resources) -> dict[str, UUID]:
    """The accounts of ADA and BOB."""
    people = {address: new_id() for address in (ADA, BOB)}
    async with resources.sessions.begin() as session:
        for address, user_id in people.items():
            known = {"locale": "en", "timezone": "UTC", "sequence": 1, "email_sequence": 0}
            session.add(User(id=user_id, email=address, updated_at=now(), **known))
    return people


@pytest.fixture
def notify(resources, people):
    async def notify(to: str = ADA, count: int = 1) -> None:
        async with resources.sessions.begin() as session:
            for _ in range(count):
                letter = Letter(
                    template="notification",
                    to=to,
                    user_id=people[to],
                    locale="en",
                    notification_type="TASK_SHARED",
                    variables={"title": "Shared", "message": "With you.", "link": None},
                )
                await resources.mail_queue.add(session, letter)

    return notify


@pytest.fixture
def ask(resources, happen):
    """Queues what auth asks for."""

    async def ask(template: str = "mfa_code", to: str = ADA) -> None:
        mail_id = new_id()
        content = {"to": to, "variables": {"name": "Ada", "code": "123456", "minutes": 5}}
        sealed = resources.mail_cipher.seal(json.dumps(content), purpose=f"mail:{mail_id}")
        await happen("auth", MailRequested(mail_id=mail_id, template=template, locale="en", sealed=sealed))

    return ask


async def rows(resources, **values) -> list[Mail]:
    async with resources.sessions() as session:
        return list(await session.scalars(select(Mail).filter_by(**values).order_by(Mail.created_at, Mail.id)))


async def counts(resources) -> dict[str, int]:
    async with resources.sessions() as session:
        found = await session.execute(select(Mail.status, func.count().label("mails")).group_by(Mail.status))
        return {row.status: row.mails for row in found}


async def drain(worker: MailSender) -> None:
    async with asyncio.timeout(PATIENCE):
        while await worker.send_one():
            pass


async def test_a_recipient_gets_so_many_notices_an_hour_and_the_others_later(resources, server, worker, notify):
    limited = await worker(mail_recipient_per_hour=3)
    await notify(count=10)
    await notify(BOB)
    await drain(limited)
    assert sorted(server.recipients) == [ADA] * 3 + [BOB]
    waiting = await rows(resources, status="queued")
    assert len(waiting) == 7
    assert all(mail.due_at > now() + timedelta(minutes=15) for mail in waiting)
    assert {mail.attempts for mail in waiting} == {0}, "waiting is no try"


async def test_what_waits_for_its_recipient_takes_nothing_from_others(resources):
    limits = NoticeLimits(RateLimiter(resources.valkey, "notification"), per_second=1, recipient_per_hour=1)
    limits._per_second = Limit("mail-notices", 3, 3600)  # none comes back while this runs
    key = f"mail-recipient:{(mac := new_id().bytes).hex()}"
    await resources.valkey.delete("notification:limit:mail-notices:all", f"notification:limit:{key}")
    assert (await limits.seconds_for_all(), await limits.seconds_for(mac)) == (0, 0)
    for _ in range(5):
        assert await limits.seconds_for_all() == 0
        assert 3000 < await limits.seconds_for(mac) <= 3600
    assert [await limits.seconds_for_all() == 0 for _ in range(3)] == [True, True, False]
    await resources.valkey.delete("notification:limit:mail-notices:all")


async def test_all_notices_together_are_limited_and_keep_their_place(resources, server, worker, notify):
    limited = await worker(mail_notices_per_second=1)
    await notify(count=3)
    due = {mail.id: mail.due_at for mail in await rows(resources)}
    await drain(limited)
    waiting = await rows(resources, status="queued")
    assert waiting
    assert all(mail.due_at == due[mail.id] for mail in waiting)
    running = asyncio.create_task(limited.run())
    async with asyncio.timeout(PATIENCE):
        while len(server.recipients) < 3:
            await asyncio.sleep(0.05)
    await end(running)
    assert await counts(resources) == {"sent": 3}


async def test_limits_hold_without_valkey(settings, resources, server, worker, notify):
    limited = await worker(mail_recipient_per_hour=3, valkey_port=1)
    await notify(count=5)
    await drain(limited)
    assert await counts(resources) == {"sent": 3, "queued": 2}


async def test_security_mails_are_not_limited_and_go_first(resources, server, worker, notify, ask):
    limited = await worker(mail_recipient_per_hour=1, mail_notices_per_second=1)
    await notify(count=5)
    for _ in range(5):
        await ask()
    await drain(limited)
    sent = await rows(resources, status="sent")
    assert sorted(mail.kind for mail in sent) == ["notice"] + ["security"] * 5
    order = [mail["Subject"] for mail in server.mails]
    assert order[:5] == ["Your code"] * 5


async def test_mails_about_the_account_go_after_security_and_before_notices(server, worker, notify, ask, resources):
    await notify()
    async with resources.sessions.begin() as session:
        letter = Letter(template="welcome", to=ADA, user_id=new_id(), locale="en", variables={"name": "Ada"})
        await resources.mail_queue.add(session, letter)
    await ask()
    await drain(await worker())
    assert [mail["Subject"] for mail in server.mails] == ["Your code", "Welcome to Grove", "News from Grove"]


async def test_digests_go_last_and_share_the_limits_of_notices(resources, server, worker, people, notify, ask):
    async def digest(to: str) -> None:
        item = {"type": "TASK_SHARED", "title": "t", "message": "m", "link": None}
        variables = {"items": [item], "more": 0}
        letter = Letter(template="digest", to=to, user_id=people[to], locale="en", variables=variables)
        async with resources.sessions.begin() as session:
            await resources.mail_queue.add(session, letter)

    for _ in range(3):
        await digest(BOB)
    await digest(ADA)
    await notify()
    await ask()
    await drain(await worker(mail_recipient_per_hour=1))
    order = [mail["Subject"] for mail in server.mails]
    assert order == ["Your code", "News from Grove", "What happened in Grove"]
    assert sorted(server.recipients) == [ADA, ADA, BOB]
    waiting = await rows(resources, status="queued")
    assert [mail.kind for mail in waiting] == ["digest"] * 3
    assert all(mail.due_at > now() + timedelta(minutes=30) for mail in waiting)


@pytest.mark.parametrize(("senders", "taken"), [(1, ["notice"]), (2, ["security"])])
async def test_a_sender_that_is_alone_takes_notices_too(resources, server, worker, notify, ask, senders, taken):
    """Of several one takes none, even while the others have something in hand that does not end."""
    server.hangs["dot"] = senders
    sending = await worker(mail_senders=senders)
    await notify(count=3)
    running = asyncio.create_task(sending.run())
    async with asyncio.timeout(PATIENCE):
        await server.hanging.wait()
        if senders == 2:
            await ask()
        while server.hangs["dot"]:
            await asyncio.sleep(0.02)
        assert (await rows(resources, status="queued", kind=taken[0]))[0].leased_until is not None
        server.released.set()
        while await rows(resources, status="queued"):
            await asyncio.sleep(0.02)
    await end(running)


async def test_a_flood_of_notices_holds_no_security_mail_up(resources, server, worker, notify, ask):
    """Even while every sender that takes notices has one in hand that does not end."""
    server.hangs["dot"] = 3
    await notify(count=50)
    flooded = await worker(mail_senders=4)
    running = asyncio.create_task(flooded.run())
    async with asyncio.timeout(PATIENCE):
        while server.hangs["dot"]:
            await asyncio.sleep(0.05)
        await ask()
        while not await rows(resources, status="sent", kind="security"):
            await asyncio.sleep(0.05)
        assert not await rows(resources, status="sent", kind="notice")
        server.released.set()
        while await counts(resources) != {"sent": 51}:
            await asyncio.sleep(0.05)
    await end(running)


async def test_after_a_bounce_notices_are_suppressed_until_another_mail_arrives(resources, server, worker, notify, ask):
    sender = await worker()
    server.answers["RCPT"] = ["550 no such mailbox"]
    await ask()
    await drain(sender)
    assert await counts(resources) == {"bounced": 1}
    await notify(count=2)
    await notify(BOB)
    await drain(sender)
    assert await counts(resources) == {"bounced": 1, "suppressed": 2, "sent": 1}
    [first, _] = await rows(resources, status="suppressed")
    assert "bounced" in (first.last_error or "")
    await ask()
    await notify()
    await drain(sender)
    assert await counts(resources) == {"bounced": 1, "suppressed": 2, "sent": 3}


async def test_a_notice_that_an_operator_resends_is_tried(resources, server, worker, notify, ask):
    sender = await worker()
    server.answers["RCPT"] = ["550 no such mailbox"]
    await ask()
    await notify()
    await drain(sender)
    async with resources.sessions.begin() as session:
        again = {"status": "queued", "resent_at": now()}
        await session.execute(update(Mail).where(Mail.status == "suppressed").values(**again))
    await drain(sender)
    assert await counts(resources) == {"bounced": 1, "sent": 1}


async def test_pauses_grow_and_are_not_all_the_same(resources, server, worker, ask):
    sender = await worker(mail_retry_seconds=[100, 1000, 10000])
    pauses: list[list[float]] = [[], [], []]
    for _ in range(5):
        await ask()
    for attempt in range(3):
        server.answers["RCPT"] = ["451 later"] * 5
        before = now()
        await drain(sender)
        after = now()
        for mail in await rows(resources):
            pauses[attempt].append((mail.due_at - before).total_seconds())
            assert mail.due_at - after <= timedelta(seconds=1.2 * 10**attempt * 100)
        async with resources.sessions.begin() as session:
            await session.execute(update(Mail).values(due_at=now()))
    assert max(pauses[0]) < min(pauses[1]) <= max(pauses[1]) < min(pauses[2])
    assert all(len({round(each) for each in tried}) > 1 for tried in pauses)


async def test_the_health_check_says_what_waits_and_why(resources, sender, notify):
    from grove_notification.mails.sending.metrics import MAILS_LATE, MAILS_QUEUED

    async def set_all(**values) -> None:
        async with resources.sessions.begin() as session:
            await session.execute(update(Mail).values(**values))

    await notify(count=3)
    await set_all(due_at=now() - timedelta(minutes=5))
    assert await sender.check() is None
    assert MAILS_QUEUED._value.get() == 3
    assert 300 <= MAILS_LATE._value.get() < 360
    await set_all(due_at=now() - timedelta(minutes=11), attempts=3)
    said = await sender.check() or ""
    assert said.startswith("3 mails were tried several times;")
    assert re.search(r"a mail has been due for \d+ s;", said)
    await set_all(status="failed", failed_at=now())
    assert (await sender.check() or "").startswith("3 mails were given up in a day;")
    await set_all(failed_at=now() - timedelta(hours=25))
    assert await sender.check() is None
    assert MAILS_QUEUED._value.get() == 0
    assert MAILS_LATE._value.get() == 0


async def test_the_health_check_names_bounces_that_somebody_waits_for(resources, server, worker, notify, ask):
    sender = await worker()
    server.answers["RCPT"] = ["550 5.1.1 no such mailbox"] * 3
    await ask()
    await ask("mfa_code", BOB)
    await drain(sender)
    assert (await sender.check() or "").startswith("2 mails about accounts bounced in a day;")
    async with resources.sessions.begin() as session:
        await session.execute(update(Mail).values(bounced_at=now() - timedelta(hours=25)))
    assert await sender.check() is None
    async with resources.sessions.begin() as session:
        await session.execute(update(Mail).values(bounced_at=now(), kind="notice"))
    assert await sender.check() is None


async def test_a_relay_that_refuses_every_recipient_is_no_bounce(resources, server, worker, ask):
    """A mistake in settings: operators are told, and notices go on once it is mended."""
    sender = await worker()
    server.answers["RCPT"] = ["554 5.7.1 Relay access denied"]
    await ask()
    await drain(sender)
    assert await counts(resources) == {"failed": 1}
    assert (await sender.check() or "").startswith("1 mails were given up in a day;")


async def test_outcomes_are_counted(resources, server, worker, notify):
    from grove_notification.mails.sending.metrics import MAIL_SECONDS, MAILS

    def sent() -> float:
        return MAILS.labels("notice", "sent")._value.get()

    before, timed = sent(), MAIL_SECONDS.labels("notice")._sum.get()
    await notify(count=2)
    await drain(await worker())
    assert sent() == before + 2
    assert MAIL_SECONDS.labels("notice")._sum.get() > timed
