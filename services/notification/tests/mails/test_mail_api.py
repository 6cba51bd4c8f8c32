"""Mails as their readers and operators see them."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from grove.contracts.auth import MailRequested, UserRegistered
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.postgres import OutboxRow
from grove.testing.postgres import outbox_types
from grove.testing.smtp import SmtpServer, serving
from grove_notification.mails.catalogue import TEMPLATES
from grove_notification.mails.queue import Letter
from grove_notification.mails.retention import MailRetention
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Mail, User
from grove_notification.resources import Resources

pytestmark = pytest.mark.integration

OWN = "/api/v1/emails"
ADMIN = "/api/v1/admin/notification"
ADA = new_id()


@pytest.fixture
def ada(issuer):
    return issuer.headers(ADA)


@pytest.fixture
def operator(issuer):
    return issuer.headers(scope="mail:read mail:resend")


@pytest.fixture
def queue(resources):
    async def queue(**changes) -> None:
        given = {"template": "welcome", "to": "ada@example.com", "user_id": ADA, "locale": "en"} | changes
        async with resources.sessions.begin() as session:
            await resources.mail_queue.add(session, Letter(**{"variables": {"name": "Ada"}} | given))

    return queue


@pytest.fixture
def change(resources):
    async def change(*conditions, **values) -> None:
        async with resources.sessions.begin() as session:
            await session.execute(update(Mail).where(*conditions).values(**values))

    return change


async def stored(resources) -> list[Mail]:
    async with resources.sessions() as session:
        return list(await session.scalars(select(Mail).order_by(Mail.created_at, Mail.id)))


async def search(client, headers, **params) -> list[dict]:
    answer = await client.get(f"{ADMIN}/emails", headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_ones_own_mails_are_listed_without_what_they_say(client, ada, queue, sender, issuer):
    await queue()
    await queue(locale="de-AT")
    await queue(template="notification", subject="Task shared", variables={})
    await queue(user_id=new_id())
    answer = await client.get(OWN, headers=ada)
    assert answer.json()["total"] == 3
    newest, german, english = answer.json()["items"]
    assert [each["subject"] for each in (newest, german, english)] == [
        "Task shared",
        "Willkommen bei Grove",
        "Welcome to Grove",
    ]
    assert set(newest) == {"id", "template", "subject", "status", "created_at", "sent_at"}
    assert (newest["status"], newest["sent_at"]) == ("queued", None)
    assert (await client.get(OWN, headers=ada, params={"status": "sent"})).json()["total"] == 0
    first = (await client.get(OWN, headers=ada, params={"cursor": "", "size": 2})).json()
    rest = (await client.get(OWN, headers=ada, params={"cursor": first["next_cursor"], "size": 2})).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == [each["id"] for each in answer.json()["items"]]
    assert rest["next_cursor"] is None
    assert (await client.get(OWN, headers=ada, params={"status": "lost"})).status_code == 422
    assert (await client.get(OWN, headers=ada, params={"cursor": "", "page": 1})).status_code == 422
    assert (await client.get(OWN, headers=issuer.headers(scope="tasks:read"))).status_code == 403
    assert (await client.get(OWN)).status_code == 401


async def test_operators_search_by_what_they_know(client, operator, queue, change, resources):
    await queue()
    await queue(to="Bob@example.com", user_id=new_id(), template="already_registered")
    await queue(template="notification", subject="Shared", variables={})
    await change(Mail.template == "notification", status="failed", last_error="421 closing", attempts=7)
    [welcome] = await search(client, operator, template="welcome")
    assert welcome["masked"] == "a•••@example.com"
    assert welcome["user_id"] == str(ADA)
    assert set(welcome) == {
        *("id", "template", "subject", "status", "created_at", "sent_at", "kind", "user_id", "masked", "locale"),
        *("attempts", "due_at", "last_error", "bounced_at"),
    }
    [failed] = await search(client, operator, status="failed")
    assert (failed["last_error"], failed["attempts"], failed["kind"]) == ("421 closing", 7, "notice")
    assert [each["template"] for each in await search(client, operator, address="bob@EXAMPLE.com")] == [
        "already_registered"
    ]
    assert len(await search(client, operator, address="ada@example.com")) == 2
    assert await search(client, operator, address="nobody@example.com") == []
    assert len(await search(client, operator, kind="account")) == 2
    assert len(await search(client, operator, user_id=str(ADA), kind="account")) == 1
    moment = (now() + timedelta(seconds=5)).isoformat()
    assert await search(client, operator, date_from=moment) == []
    assert len(await search(client, operator, date_to=moment)) == 3
    assert len(await search(client, operator, cursor="", size=2)) == 2
    for wrong in ({"address": "nobody"}, {"kind": "spam"}, {"user_id": "1"}, {"date_from": moment, "date_to": moment}):
        assert (await client.get(f"{ADMIN}/emails", headers=operator, params=wrong)).status_code == 422


async def test_a_mail_of_before_a_key_rotation_is_found(client, app, operator, queue, settings, resources, tmp_path):
    await queue()
    from grove.security.encryption import new_key

    old = resources.settings.secrets.read("mail_key_ring")
    rotated = type(resources.mail_cipher)(lambda: f"{new_key('next')}\n{old}")
    kept, resources.mail_cipher = resources.mail_cipher, rotated
    try:
        assert len(await search(client, operator, address="ada@example.com")) == 1
    finally:
        resources.mail_cipher = kept


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/emails"),
        ("POST", "/emails/resend"),
        ("POST", f"/emails/{new_id()}/resend"),
        ("POST", f"/emails/{new_id()}/bounced"),
        ("GET", "/templates"),
        ("GET", "/templates/welcome"),
    ],
)
async def test_each_route_needs_its_permission(client, issuer, ada, method, path):
    needed = "mail:read" if method == "GET" else "mail:resend"
    other = {"mail:read", "mail:resend"} - {needed}
    bodies = {"/emails/resend": {"status": "failed"}}
    body = {"json": bodies.get(path, {"reason": "gone"})} if method == "POST" else {}
    assert (await client.request(method, ADMIN + path, **body)).status_code == 401
    for headers in (ada, issuer.headers(scope=" ".join(other))):
        assert (await client.request(method, ADMIN + path, headers=headers, **body)).status_code == 403
    allowed = await client.request(method, ADMIN + path, headers=issuer.headers(scope=needed), **body)
    assert allowed.status_code in {200, 404}


@pytest.mark.parametrize("status", ["failed", "bounced", "suppressed"])
async def test_what_did_not_arrive_is_sent_again(client, operator, queue, change, sender, resources, status):
    await queue()
    await change(status=status, attempts=7, bounced_at=now() if status == "bounced" else None)
    [mail] = await search(client, operator)
    answer = await client.post(f"{ADMIN}/emails/{mail['id']}/resend", headers=operator)
    assert answer.status_code == 204, answer.text
    [mail] = await search(client, operator)
    assert (mail["status"], mail["attempts"], mail["bounced_at"]) == ("queued", 0, None)
    again = await client.post(f"{ADMIN}/emails/{mail['id']}/resend", headers=operator)
    assert (again.status_code, again.json()["error"]["code"]) == (400, "INVALID_STATE")
    assert await sender.send_one()
    [mail] = await search(client, operator)
    assert mail["status"] == "sent"
    gone = await client.post(f"{ADMIN}/emails/{mail['id']}/resend", headers=operator)
    assert (gone.status_code, gone.json()["error"]["code"]) == (400, "INVALID_STATE")
    assert "content" in gone.json()["error"]["message"]


async def test_what_its_reader_did_not_want_is_not_sent_again(client, operator, queue, change):
    await queue()
    await change(status="suppressed", sealed=None)
    [mail] = await search(client, operator)
    answer = await client.post(f"{ADMIN}/emails/{mail['id']}/resend", headers=operator)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_STATE")
    assert (await client.post(f"{ADMIN}/emails/{new_id()}/resend", headers=operator)).status_code == 404


async def test_who_had_a_mail_sent_again_is_in_the_log(client, issuer, queue, change, capfd):
    import structlog

    await queue()
    await change(status="failed")
    actor = new_id()
    headers = issuer.headers(actor, scope="mail:read mail:resend")
    [mail] = await search(client, headers)
    with structlog.testing.capture_logs() as logs:
        await client.post(f"{ADMIN}/emails/{mail['id']}/resend", headers=headers)
    assert {"event": "mail.resent", "mail_id": mail["id"], "actor": str(actor), "log_level": "info"} in logs


@pytest.mark.parametrize("status", ["failed", "bounced"])
async def test_all_that_did_not_arrive_is_sent_again_at_once(client, operator, queue, change, resources, status):
    for _ in range(3):
        await queue()
    await queue(template="already_registered")
    await change(Mail.template == "welcome", status=status)
    answer = await client.post(f"{ADMIN}/emails/resend", headers=operator, json={"status": status})
    assert (answer.status_code, answer.json()) == (200, {"queued": 3})
    assert {mail.status for mail in await stored(resources)} == {"queued"}
    again = await client.post(f"{ADMIN}/emails/resend", headers=operator, json={"status": status})
    assert again.json() == {"queued": 0}
    wrong = await client.post(f"{ADMIN}/emails/resend", headers=operator, json={"status": "sent"})
    assert wrong.status_code == 422


async def test_what_is_sent_again_together_can_be_told_apart(client, operator, queue, change, resources):
    moment = now()
    await queue()
    await queue(template="already_registered")
    await queue(template="notification", variables={})
    await change(status="failed", created_at=moment)
    await change(Mail.template == "welcome", created_at=moment - timedelta(days=2))

    async def resend(**which) -> int:
        answer = await client.post(f"{ADMIN}/emails/resend", headers=operator, json={"status": "failed"} | which)
        assert answer.status_code == 200, answer.text
        assert answer.json()["queued"] == len([mail for mail in await stored(resources) if mail.status == "queued"])
        await change(status="failed")
        return answer.json()["queued"]

    hour = timedelta(hours=1)
    assert await resend() == 3
    assert await resend(template="welcome") == 1
    assert await resend(kind="account") == 2
    assert await resend(kind="digest") == 0
    assert await resend(date_from=(moment - hour).isoformat()) == 2
    assert await resend(date_from=moment.isoformat(), date_to=(moment + hour).isoformat()) == 2
    assert await resend(date_to=moment.isoformat()) == 1
    assert await resend(kind="account", date_from=(moment - hour).isoformat()) == 1
    same = {"date_from": moment.isoformat(), "date_to": moment.isoformat()}
    for wrong in ({"template": "A"}, {"kind": "spam"}, same, {"user_id": str(ADA)}):
        refused = await client.post(f"{ADMIN}/emails/resend", headers=operator, json={"status": "failed"} | wrong)
        assert refused.status_code == 422


async def test_what_has_expired_is_not_sent_again(client, operator, queue, change, resources):
    await queue()
    await queue(template="already_registered")
    await queue(template="webhook_disabled")
    await change(status="failed", failed_at=now())
    await change(Mail.template == "welcome", expires_at=now() - timedelta(seconds=1))
    await change(Mail.template == "webhook_disabled", expires_at=now() + timedelta(hours=1))
    [welcome] = await search(client, operator, template="welcome")
    for gone in ({"status": "failed"}, {"status": "expired", "sealed": None}):
        await change(Mail.template == "welcome", **gone)
        answer = await client.post(f"{ADMIN}/emails/{welcome['id']}/resend", headers=operator)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_STATE")
        assert "expired" in answer.json()["error"]["message"]
    await change(Mail.template == "welcome", status="failed", sealed="sealed")
    answer = await client.post(f"{ADMIN}/emails/resend", headers=operator, json={"status": "failed"})
    assert answer.json() == {"queued": 2}
    assert [(mail.status, mail.failed_at is None) for mail in await stored(resources)] == [
        ("failed", False),
        ("queued", True),
        ("queued", True),
    ]


async def test_expired_mails_and_digests_are_found(client, ada, operator, queue, change):
    await queue()
    await queue(template="digest", variables={"items": [], "more": 0})
    await change(Mail.template == "welcome", status="expired", sealed=None)
    [expired] = await search(client, operator, status="expired")
    [digest] = await search(client, operator, kind="digest")
    assert (expired["template"], digest["template"]) == ("welcome", "digest")
    [own] = (await client.get(OWN, headers=ada, params={"status": "expired"})).json()["items"]
    assert own["template"] == "welcome"
    assert await search(client, operator, kind="notice") == []


async def test_a_reported_bounce_keeps_notices_away(client, operator, queue, sender, resources):
    await queue()
    [mail] = await search(client, operator)
    url = f"{ADMIN}/emails/{mail['id']}/bounced"
    early = await client.post(url, headers=operator, json={"reason": "mailbox closed"})
    assert (early.status_code, early.json()["error"]["code"]) == (400, "INVALID_STATE")
    await sender.send_one()
    for _ in range(2):
        answer = await client.post(url, headers=operator, json={"reason": "mailbox closed"})
        assert answer.status_code == 204
    async with resources.sessions.begin() as session:
        known = {"locale": "en", "timezone": "UTC", "sequence": 1, "email_sequence": 0}
        session.add(User(id=ADA, email="ada@example.com", updated_at=now(), **known))
    await queue(template="notification", variables={"title": "a", "message": "b", "link": None})
    await sender.send_one()
    notice, bounced = await search(client, operator)
    assert (bounced["status"], bounced["last_error"]) == ("bounced", "reported: mailbox closed")
    assert notice["status"] == "suppressed"
    assert await outbox_types(resources.engine) == ["notification.email.sent.v1", "notification.email.failed.v1"]
    for reason in ("", "a\nb", "x" * 401):
        assert (await client.post(url, headers=operator, json={"reason": reason})).status_code == 422
    nothing = await client.post(f"{ADMIN}/emails/{new_id()}/bounced", headers=operator, json={"reason": "x"})
    assert nothing.status_code == 404


async def test_every_template_can_be_looked_at_in_every_language(client, operator):
    listed = (await client.get(f"{ADMIN}/templates", headers=operator)).json()["items"]
    assert [each["name"] for each in listed] == sorted(TEMPLATES)
    assert {tuple(each["locales"]) for each in listed} == {("en", "de")}
    for each in listed:
        for locale in each["locales"]:
            url = f"{ADMIN}/templates/{each['name']}"
            preview = (await client.get(url, headers=operator, params={"locale": locale})).json()
            assert (preview["name"], preview["locale"]) == (each["name"], locale)
            assert f'<html lang="{locale}"' in preview["html"]
            assert preview["subject"]
            assert preview["text"]
            assert ("unsubscribe" in preview["html"]) is (each["kind"] in {"notice", "digest"})
            assert preview["sample"] == each["samples"][0] == "default"
            texts = set()
            for sample in each["samples"]:
                shown = await client.get(url, headers=operator, params={"locale": locale, "sample": sample})
                texts.add(shown.json()["text"])
                assert shown.json()["sample"] == sample
            assert len(texts) == len(each["samples"])
    reset = {"locale": "de", "sample": "reset"}
    told = await client.get(f"{ADMIN}/templates/password_changed", headers=operator, params=reset)
    assert "zurückgesetzt" in told.json()["text"]
    none = await client.get(f"{ADMIN}/templates/welcome", headers=operator, params={"sample": "reset"})
    assert none.status_code == 404
    german = await client.get(f"{ADMIN}/templates/welcome", headers=operator, params={"locale": "de"})
    assert german.json()["subject"] == "Willkommen bei Grove"
    assert (await client.get(f"{ADMIN}/templates/nonsense", headers=operator)).status_code == 404
    wrong = await client.get(f"{ADMIN}/templates/welcome", headers=operator, params={"locale": "fr"})
    assert wrong.status_code == 422


async def test_what_auth_seals_is_masked_and_found_too(client, operator, happen, resources):
    mail_id = new_id()
    content = {"to": "grace@example.com", "variables": {"name": "Grace", "token": "t0k3n", "hours": 24}}
    sealed = resources.mail_cipher.seal(json.dumps(content), purpose=f"mail:{mail_id}")
    await happen("auth", MailRequested(mail_id=mail_id, template="verify_email", locale="en", sealed=sealed))
    [mail] = await search(client, operator, address="grace@example.com")
    assert (mail["masked"], mail["kind"], mail["subject"]) == (
        "g•••@example.com",
        "account",
        "Confirm your address",
    )
    [row] = await stored(resources)
    assert "grace" not in repr((row.sealed, row.address_mac, row.masked, row.subject))


async def test_a_welcome_is_in_the_list_of_who_registered(client, ada, happen):
    registered = UserRegistered(
        user_id=ADA,
        email="ada@example.com",
        name="Ada",
        locale="de",
        timezone="UTC",
        roles=["user"],
        registered_at=now(),
    )
    await happen("auth", registered)
    [mail] = (await client.get(OWN, headers=ada)).json()["items"]
    assert (mail["template"], mail["subject"]) == ("welcome", "Willkommen bei Grove")


async def test_old_mails_are_forgotten_and_those_that_wait_are_not(queue, change, resources, monkeypatch):
    monkeypatch.setattr("grove_notification.mails.retention.BATCH", 2)
    for status in ("sent", "failed", "bounced", "suppressed", "expired", "queued"):
        await queue()
        await change(Mail.status == "queued", status=status, created_at=now() - timedelta(days=91))
    await queue()
    await change(Mail.created_at > now() - timedelta(days=1), status="failed")
    assert await MailRetention(resources.sessions, days=90).delete() == 5
    assert sorted(mail.status for mail in await stored(resources)) == ["failed", "queued"]


async def told(resources) -> list[tuple[str, int, int, str | None]]:
    """Of each event, in their order: its type, number, tries, and why."""
    async with resources.sessions() as session:
        bodies = [json.loads(row.body) for row in await session.scalars(select(OutboxRow).order_by(OutboxRow.position))]
    return [
        (body["type"].split(".")[-2], int(body["sequence"]), body["data"]["attempts"], body["data"].get("reason"))
        for body in bodies
    ]


async def test_each_end_of_a_mail_is_one_event_and_their_numbers_rise(
    client, operator, queue, change, settings, resources
):
    async with serving(SmtpServer()) as server:
        own = Resources(settings.model_copy(update={"smtp_port": server.port, "mail_retry_seconds": [0]}))
        sender = MailSender(own)

        async def drain() -> None:
            while await sender.send_one():
                pass

        await queue()
        [mail] = await search(client, operator)
        url = f"{ADMIN}/emails/{mail['id']}"
        server.answers["RCPT"] = ["450 later", "450 later", "550 5.1.1 nobody", "554 no"]
        for _ in range(4):
            await drain()
            await client.post(f"{url}/resend", headers=operator)
        for _ in range(2):
            assert (await client.post(f"{url}/bounced", headers=operator, json={"reason": "gone"})).status_code == 204
        await client.post(f"{url}/resend", headers=operator)
        await change(expires_at=now() - timedelta(seconds=1))
        await drain()
        await sender.aclose()
        await own.aclose()
    ends = await told(resources)
    assert [(kind, number, tries) for kind, number, tries, _ in ends] == [
        ("failed", 1, 2),
        ("failed", 2, 1),
        ("failed", 3, 1),
        ("sent", 4, 1),
        ("failed", 5, 1),
    ]
    reasons = [why or "" for *_, why in ends]
    assert [word in why for word, why in zip(("450", "550", "554", "", "reported: gone"), reasons, strict=True)] == [
        True
    ] * 5


async def test_an_expired_mail_is_not_sent_and_what_it_said_is_gone(client, operator, queue, change, sender, resources):
    await queue()
    moment = now() - timedelta(seconds=1)
    await change(expires_at=moment)
    assert await sender.send_one()
    [mail] = await stored(resources)
    assert (mail.status, mail.sealed, mail.attempts, mail.failed_at) == ("expired", None, 0, None)
    why = f"it was not sent before it expired, on {moment:%Y-%m-%d %H:%M} UTC"
    assert mail.last_error == why
    assert await told(resources) == [("failed", 1, 0, why)]
    assert not await sender.send_one()
    assert await sender.check() is None, "nobody can do anything about it"


async def test_a_bounce_at_the_server_is_told_to_operators(client, operator, queue, settings):
    async with serving(SmtpServer()) as server:
        server.answers["RCPT"] = ["550 5.1.1 <ada@example.com>: unknown"]
        own = Resources(settings.model_copy(update={"smtp_port": server.port}))
        sender = MailSender(own)
        await queue()
        await sender.send_one()
        [mail] = await search(client, operator, status="bounced")
        assert "550 5.1.1 <a•••@example.com>: unknown" in mail["last_error"]
        await client.post(f"{ADMIN}/emails/{mail['id']}/resend", headers=operator)
        await sender.send_one()
        await sender.aclose()
        await own.aclose()
    assert server.recipients == ["ada@example.com"]
