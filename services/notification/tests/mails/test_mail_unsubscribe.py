"""Switching notices off by the link in one of them: by a mail program's click, without signing in."""

from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from grove.contracts.auth import UserDeleted
from grove.contracts.resource import TaskReminderDue, TaskShared
from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.smtp import SmtpServer, serving
from grove_notification.digests.mailing import DigestMailing
from grove_notification.mails.queue import Letter
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Digest, DigestItem, Preferences, User
from grove_notification.preferences.types import TYPES
from grove_notification.resources import Resources
from grove_notification.unsubscribing.links import Unsubscribing

pytestmark = pytest.mark.integration

URL = "/api/v1/notification-preferences/unsubscribe"
CLICK = {"data": {"List-Unsubscribe": "One-Click"}}
ADA = new_id()


@pytest.fixture
async def mailed(settings):
    """Sends what is due; the mails."""
    async with serving(SmtpServer()) as server:
        own = Resources(settings.model_copy(update={"smtp_port": server.port}))
        sender = MailSender(own)

        async def mailed():
            server.mails.clear()
            while await sender.send_one():
                pass
            return list(server.mails)

        yield mailed
        await sender.aclose()
        await own.aclose()


@pytest.fixture
async def ada(resources):
    async with resources.sessions.begin() as session:
        user = User(
            id=ADA,
            email="ada@example.com",
            locale="en",
            timezone="UTC",
            sequence=1,
            email_sequence=0,
            updated_at=now(),
        )
        session.add(user)


def shared() -> TaskShared:
    given = {"share_id": new_id(), "task_id": new_id(), "user_id": new_id(), "with_user_id": ADA}
    return TaskShared(**given, title="Plant", role="editor", shared_at=now())


def reminder() -> TaskReminderDue:
    return TaskReminderDue(task_id=new_id(), user_id=ADA, reminder_id=new_id(), title="Plant", fired_at=now())


async def preferences(resources) -> Preferences | None:
    async with resources.sessions() as session:
        return await session.get(Preferences, ADA)


async def test_one_click_in_a_mail_program_ends_mails_of_that_type(client, resources, happen, ada, mailed):
    await happen("resource", shared())
    [mail] = await mailed()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = urlsplit(mail["List-Unsubscribe"].strip("<>"))
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{resources.settings.public_api_url}{URL}"
    token = parse_qs(link.query)["token"][0]
    page = f"{resources.settings.link_base_url}/unsubscribe#token="
    assert page in mail.get_body(("plain",)).get_content()
    assert page in mail.get_body(("html",)).get_content()
    await happen("resource", shared())
    for _ in range(2):
        answer = await client.post(URL, params={"token": token}, **CLICK)
        assert (answer.status_code, answer.content) == (204, b"")
    assert await mailed() == [], "what waited is dropped"
    await happen("resource", shared())
    assert await mailed() == []
    await happen("resource", reminder())
    assert len(await mailed()) == 1, "other types are told as before"
    row = await preferences(resources)
    assert row is not None
    assert (row.types, row.version) == ({"TASK_SHARED": {"email": False}}, 1)


async def test_a_json_body_or_none_is_as_good(client, resources, ada):
    token = Unsubscribing(ADA, "TASK_SHARED").token(resources.mail_cipher)
    assert (await client.post(URL, params={"token": token})).status_code == 204
    assert (await client.post(URL, params={"token": token}, json={})).status_code == 204


async def test_a_mail_program_without_one_click_shows_the_page_and_nothing_changes(client, resources, ada):
    token = Unsubscribing(ADA, "TASK_SHARED").token(resources.mail_cipher)
    for opened in (token, "never given &#?=/\r\nX: y", "é"):
        answer = await client.get(URL, params={"token": opened}, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (303, b"", "no-store")
        page, _, fragment = answer.headers["location"].partition("#")
        assert page == f"{resources.settings.link_base_url}/unsubscribe"
        assert parse_qs(fragment, strict_parsing=True) == {"token": [opened]}
    assert await preferences(resources) is None
    assert (await client.get(URL)).status_code == 422


async def test_the_link_of_a_digest_ends_all_mails_that_can_be_switched_off(client, resources, happen, ada, mailed):
    async with resources.sessions.begin() as session:
        session.add(
            Preferences(
                user_id=ADA,
                types={"TASK_CREATED": {"email": True}, "LOGIN": {"in_app": False}},
                digest="hourly",
                digest_at=now().time(),
                version=4,
                updated_at=now(),
            )
        )
        session.add(Digest(user_id=ADA, key="mail", due_at=now()))
        await session.flush()
        session.add(
            DigestItem(
                id=new_id(),
                user_id=ADA,
                key="mail",
                type="TASK_CREATED",
                title="a",
                message="b",
                link=None,
                created_at=now(),
            )
        )
    assert await DigestMailing(resources.sessions, resources.mail_queue).mail_one()
    [mail] = await mailed()
    await happen("resource", shared())
    token = parse_qs(urlsplit(mail["List-Unsubscribe"].strip("<>")).query)["token"][0]
    assert (await client.post(URL, params={"token": token}, **CLICK)).status_code == 204
    async with resources.sessions() as session:
        assert (await session.scalars(select(Digest))).all() == []
    row = await preferences(resources)
    assert row is not None
    off = {each.name for each in TYPES.values() if each.email}
    assert row.types == {name: {"email": False} for name in off} | {"LOGIN": {"in_app": False}}
    assert row.version == 5
    await happen("resource", shared())
    await happen("resource", reminder())
    assert await mailed() == []


async def test_mails_that_can_not_be_switched_off_have_no_link(resources, ada, mailed):
    async with resources.sessions.begin() as session:
        for template in ("welcome", "email_taken"):
            letter = Letter(template=template, to="a@example.com", user_id=ADA, locale="en", variables={"name": "Ada"})
            await resources.mail_queue.add(session, letter)
    mails = await mailed()
    assert len(mails) == 2
    for mail in mails:
        assert mail["List-Unsubscribe"] is None
        assert mail["List-Unsubscribe-Post"] is None
        assert "unsubscribe" not in mail.as_string()


@pytest.mark.parametrize("token", ["x", "1.abc", "mail.AAAA", "é"])
async def test_a_token_that_was_never_given_is_gone(client, token):
    answer = await client.post(URL, params={"token": token}, **CLICK)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "GONE")


async def test_what_was_sealed_for_something_else_is_no_token(client, resources, ada):
    sealed = resources.mail_cipher.seal(f'["{ADA}", null]', purpose="mail:x")
    assert (await client.post(URL, params={"token": sealed}, **CLICK)).status_code == 410
    assert (await client.post(URL, **CLICK)).status_code == 422
    assert (await client.post(URL, params={"token": "x" * 1001}, **CLICK)).status_code == 422


async def test_a_deleted_user_is_not_made_anew(client, resources, happen, ada):
    token = Unsubscribing(ADA, None).token(resources.mail_cipher)
    await happen("auth", UserDeleted(user_id=ADA, deleted_at=now()))
    assert (await client.post(URL, params={"token": token}, **CLICK)).status_code == 204
    assert await preferences(resources) is None


async def test_a_security_type_is_not_switched_off_by_a_token(client, resources, ada):
    token = Unsubscribing(ADA, "PASSWORD_CHANGED").token(resources.mail_cipher)
    assert (await client.post(URL, params={"token": token}, **CLICK)).status_code == 204
    row = await preferences(resources)
    assert row is not None
    assert row.types == {}


async def test_the_portal_may_call_it_from_a_browser(client, settings, resources):
    token = Unsubscribing(ADA, None).token(resources.mail_cipher)
    answer = await client.post(URL, params={"token": token}, headers={"Origin": settings.public_url}, **CLICK)
    assert answer.headers["access-control-allow-origin"] == settings.public_url
