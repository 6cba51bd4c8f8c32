"""Mails: sent, tried again, given up, never lost, never in clear."""

import asyncio
import json
import mailbox
from pathlib import Path

import pytest
from sqlalchemy import select

from grove.contracts.auth import MailRequested, UserEmailChanged, UserRegistered, UserUpdated, UserVerified
from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.testing.postgres import outbox_types
from grove.testing.smtp import SmtpServer, serving
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Mail, User
from grove_notification.resources import Resources

pytestmark = pytest.mark.integration


@pytest.fixture
def address() -> str:
    return f"{new_id().hex[-10:]}@example.com"


@pytest.fixture
def inbox(stores, address):
    def read() -> list[mailbox.MaildirMessage]:
        folder = Path(stores.plan.mail_dir)
        return [m for m in mailbox.Maildir(folder, create=False) if address in str(m["To"])] if folder.exists() else []

    return read


def requested(resources, address: str, **changes) -> MailRequested:
    mail_id = new_id()
    content = {"to": address, "variables": {"name": "Ada", "token": "t0k3n", "hours": 24}}
    sealed = resources.mail_cipher.seal(json.dumps(content), purpose=f"mail:{mail_id}")
    return MailRequested(**{"mail_id": mail_id, "template": "verify_email", "locale": "en", "sealed": sealed} | changes)


async def stored(resources) -> Mail:
    async with resources.sessions() as session:
        return (await session.scalars(select(Mail))).one()


async def test_a_requested_mail_arrives_with_its_link_in_text_and_html(resources, sender, happen, address, inbox):
    data = requested(resources, address)
    await happen("auth", data)
    assert "t0k3n" not in (await stored(resources)).sealed
    assert await sender.send_one()
    assert not await sender.send_one()
    [message] = inbox()
    assert message["Message-ID"] == f"<{data.mail_id}@grove.example>"
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    link = f"{resources.settings.link_base_url}/verify-email#token=t0k3n"
    assert all(link in part.get_payload(decode=True).decode() for part in parts)
    sent = await stored(resources)
    assert (sent.status, sent.sealed, sent.attempts) == ("sent", None, 1)
    assert await outbox_types(resources.engine) == ["notification.email.sent.v1"]


async def test_many_senders_send_each_mail_once(resources, happen, address, inbox):
    for _ in range(12):
        await happen("auth", requested(resources, address))
    senders = [MailSender(resources) for _ in range(4)]

    async def drain(sender: MailSender) -> None:
        while await sender.send_one():
            pass

    await asyncio.gather(*(drain(sender) for sender in senders))
    await asyncio.gather(*(sender.aclose() for sender in senders))
    assert len(inbox()) == len({message["Message-ID"] for message in inbox()}) == 12


async def test_a_mail_is_tried_again_then_given_up_and_told(settings, resources, happen, address):
    await happen("auth", requested(resources, address))
    async with serving(SmtpServer()) as server:
        server.answers["RCPT"] = ["450 later"] * 3
        refused = Resources(settings.model_copy(update={"smtp_port": server.port, "mail_retry_seconds": [0, 0]}))
        sender = MailSender(refused)
        for attempt in (1, 2):
            assert await sender.send_one()
            mail = await stored(resources)
            assert (mail.status, mail.attempts) == ("queued", attempt)
            assert mail.last_error
        assert await sender.send_one()
        assert (await stored(resources)).status == "failed"
        assert await outbox_types(resources.engine) == ["notification.email.failed.v1"]
        assert (await sender.check() or "").startswith("1 mails were given up in a day;")
        await sender.aclose()
        await refused.aclose()


async def test_what_does_not_open_is_given_up_at_once(resources, sender, happen, address):
    await happen("auth", requested(resources, address, mail_id=new_id()))
    assert await sender.check() is None
    await sender.send_one()
    assert (await stored(resources)).status == "failed"


async def test_who_registers_is_welcomed_and_remembered(resources, sender, happen, address, inbox):
    user = new_id()
    registered = UserRegistered(
        user_id=user, email=address, name="Ada", locale="en", timezone="UTC", roles=["user"], registered_at=now()
    )
    await happen("auth", UserUpdated(user_id=user, locale="de", timezone="Europe/Berlin", roles=[]), sequence=3)
    assert await happen("auth", registered, sequence=1)
    assert await happen("auth", UserVerified(user_id=user, email=address), sequence=2)
    await sender.send_one()
    assert inbox()[0]["Subject"] == "Welcome to Grove"
    async with resources.sessions() as session:
        row = (await session.scalars(select(User))).one()
    assert (row.email, row.locale, row.sequence) == (address, "de", 3)


async def test_who_was_invited_or_imported_is_remembered_and_not_welcomed(resources, sender, happen, address, inbox):
    registered = UserRegistered(
        user_id=new_id(),
        email=address,
        name="Ada",
        locale="en",
        timezone="UTC",
        roles=["user"],
        registered_at=now(),
        greet=False,
    )
    assert await happen("auth", registered, sequence=1)
    assert not await sender.send_one()
    assert not inbox()
    async with resources.sessions() as session:
        assert (await session.scalars(select(User))).one().email == address


async def test_a_changed_address_is_the_newest_whatever_order_events_come_in(resources, happen, address):
    user = new_id()
    registered = UserRegistered(
        user_id=user, email="first@example.com", name="Ada", locale="de", timezone="UTC", roles=[], registered_at=now()
    )
    moved = UserEmailChanged(user_id=user, email="second@example.com", how="changed", changed_at=now())
    await happen("auth", moved.model_copy(update={"email": address}), sequence=7)
    await happen("auth", moved, sequence=5)
    await happen("auth", UserUpdated(user_id=user, locale="en", timezone="Europe/Berlin", roles=[]), sequence=6)
    await happen("auth", registered, sequence=1)
    async with resources.sessions() as session:
        row = (await session.scalars(select(User))).one()
    assert (row.email, row.locale, row.timezone) == (address, "en", "Europe/Berlin")


async def test_the_sender_wakes_when_a_mail_is_queued(resources, sender, happen, address, inbox, monkeypatch):
    """It has looked and found nothing, and does not look again by itself."""
    monkeypatch.setattr("grove_notification.mails.sending.sender.LOOK_SECONDS", 3600)
    looked, look = [], sender.send_one

    async def watched(*args, **kwargs) -> bool:
        looked.append(await look(*args, **kwargs))
        return looked[-1]

    monkeypatch.setattr(sender, "send_one", watched)
    task = asyncio.create_task(sender.run())
    async with asyncio.timeout(60):
        while len(looked) < resources.settings.mail_senders:
            await asyncio.sleep(0.02)
        await happen("auth", requested(resources, address))
        while not inbox():
            await asyncio.sleep(0.02)
    await end(task)
