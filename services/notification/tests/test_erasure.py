"""A deleted user: nothing is left, nothing comes back, auth is told."""

import json
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from grove.contracts.auth import MailRequested, UserDeleted, UserRegistered, UserUpdated
from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.event import outbox_event
from grove.outbox.postgres import OutboxRow
from grove.testing.erasure import missed
from grove.testing.smtp import SmtpServer, serving
from grove_notification.consumers import handlers
from grove_notification.mails.sending.sender import MailSender
from grove_notification.models import Base, ErasedUser, Mail, Notification, User
from grove_notification.resources import Resources
from grove_notification.users.erasure import ERASURE

pytestmark = pytest.mark.integration
ADA, BOB = new_id(), new_id()


def registered(user_id: UUID) -> UserRegistered:
    return UserRegistered(
        user_id=user_id,
        email="a@example.com",
        name="Ada",
        locale="en",
        timezone="UTC",
        roles=["user"],
        registered_at=now(),
    )


def created(user_id: UUID) -> TaskCreated:
    return TaskCreated(task_id=new_id(), user_id=user_id, title="Plant", created_at=now())


def asked_for(
    resources, user_id: UUID | None, template: str = "already_registered", to: str = "a@example.com", **variables
) -> MailRequested:
    mail_id = new_id()
    content = json.dumps({"to": to, "variables": variables})
    sealed = resources.mail_cipher.seal(content, purpose=f"mail:{mail_id}")
    return MailRequested(mail_id=mail_id, user_id=user_id, template=template, locale="en", sealed=sealed)


@pytest.fixture
def left(resources):
    """How many rows of each table name the user."""

    async def left(user_id: UUID) -> list[int]:
        async with resources.sessions() as session:
            return [
                await session.scalar(select(func.count()).where(column == user_id))
                for column in (User.id, Notification.user_id, Mail.user_id, ErasedUser.user_id)
            ]

    return left


def test_no_table_is_missed():
    assert missed(Base.metadata, ERASURE) == set()


async def test_a_deleted_user_leaves_a_tombstone_only_and_others_stay(resources, happen, left):
    for user in (ADA, BOB):
        await happen("auth", registered(user))
        await happen("resource", created(user))
        await happen("auth", asked_for(resources, user))
    assert await left(ADA) == [1, 2, 2, 0]
    await happen("auth", UserDeleted(user_id=ADA, deleted_at=now()))
    assert await left(ADA) == [0, 0, 0, 1]
    assert await left(BOB) == [1, 2, 2, 0]
    async with resources.sessions() as session:
        assert (await session.scalars(select(OutboxRow.type))).all() == ["notification.user.erased.v1"]


async def test_late_facts_about_a_deleted_user_are_passed_over(resources, happen, left):
    await happen("auth", UserDeleted(user_id=ADA, deleted_at=now()))
    await happen("auth", registered(ADA))
    await happen("auth", UserUpdated(user_id=ADA, locale="de", timezone="UTC", roles=["user"]), sequence=5)
    await happen("resource", created(ADA))
    await happen("resource", created(BOB))
    assert await left(ADA) == [0, 0, 0, 1]
    assert await left(BOB) == [0, 1, 0, 0]


def parsed(resources, service: str, fact):
    return handlers(resources).parse(outbox_event(service, fact, sequence=1).body)


async def test_one_transaction_may_bring_the_deletion_and_what_came_with_it(resources, left):
    """In either order: a batch applies several facts together."""
    gone = parsed(resources, "auth", UserDeleted(user_id=ADA, deleted_at=now()))
    works = [parsed(resources, "resource", created(ADA)) for _ in range(2)]
    assert len(await resources.inbox.apply([works[0], gone, works[1]])) == 3
    assert await left(ADA) == [0, 0, 0, 1]


async def test_what_slipped_in_beside_the_deletion_is_swept(resources, happen, left):
    await happen("auth", UserDeleted(user_id=ADA, deleted_at=now()))
    async with resources.sessions.begin() as session:
        session.info["erased_users"] = {ADA: False}  # asked before the deletion committed
        await parsed(resources, "resource", created(ADA)).apply(session)
    assert await left(ADA) == [0, 1, 0, 1]
    assert await ERASURE.sweep(resources.sessions) == 1
    assert await left(ADA) == [0, 0, 0, 1]


async def mails(resources) -> list[Mail]:
    async with resources.sessions() as session:
        return list(await session.scalars(select(Mail).order_by(Mail.id)))


async def test_the_goodbye_goes_out_and_tells_nothing_of_the_account_afterwards(resources, happen, settings):
    goodbye = asked_for(resources, None, "account_deleted", name="Ada")
    await happen("auth", UserDeleted(user_id=ADA, deleted_at=now()))
    await happen("auth", goodbye)
    [mail] = await mails(resources)
    assert (mail.template, mail.status, mail.masked, mail.address_mac) == ("account_deleted", "queued", None, None)
    async with serving(SmtpServer()) as server:
        own = Resources(settings.model_copy(update={"smtp_port": server.port}))
        sender = MailSender(own)
        await sender.send_one()
        await sender.aclose()
        await own.aclose()
    assert server.recipients == ["a@example.com"]
    [mail] = await mails(resources)
    assert (mail.status, mail.sealed, mail.masked, mail.address_mac, mail.user_id) == ("sent", None, None, None, None)


async def test_a_late_mail_to_a_deleted_user_is_passed_over(resources, happen):
    await happen("auth", UserDeleted(user_id=ADA, deleted_at=now()))
    await happen("auth", asked_for(resources, ADA))
    assert await mails(resources) == []


async def test_the_mails_that_led_to_an_account_are_erased_with_it(resources, happen):
    for address in ("a@example.com", "A@example.com", "other@example.com"):
        await happen("auth", asked_for(resources, None, "verify_email", to=address))
    await happen("auth", asked_for(resources, BOB, "verify_email"))
    await happen("auth", registered(ADA))
    assert [mail.user_id for mail in await mails(resources)][:4] == [ADA, ADA, None, BOB]
    await happen("auth", UserDeleted(user_id=ADA, deleted_at=now()))
    assert [mail.user_id for mail in await mails(resources)] == [None, BOB]


async def test_an_invited_account_has_its_mails_too(resources, happen):
    """It is not greeted."""
    await happen("auth", asked_for(resources, None, "verify_email"))
    await happen("auth", registered(ADA).model_copy(update={"greet": False}))
    assert [mail.user_id for mail in await mails(resources)] == [ADA]


async def test_until_when_a_mail_holds_is_kept(resources, happen):
    until = now()
    await happen("auth", asked_for(resources, ADA).model_copy(update={"expires_at": until}))
    await happen("auth", asked_for(resources, ADA))
    assert [mail.expires_at for mail in await mails(resources)] == [until, None]


async def test_nothing_of_the_user_is_left_in_any_table(resources, happen, client, issuer):
    """Preferences, the live stream, digests, webhooks and their deliveries too; and what is collected beside the
    deletion in one transaction is not written after it."""
    await happen("auth", registered(ADA))
    me = issuer.headers(ADA)
    wanted = {
        "types": {"TASK_CREATED": {"in_app": True, "email": True, "webhook": True}},
        "quiet_hours": None,
        "digest": {"frequency": "daily"},
    }
    assert (await client.put("/api/v1/notification-preferences", json=wanted, headers=me)).status_code == 200
    hook = {"url": "https://hooks.example.com/in", "event_types": ["*"]}
    assert (await client.post("/api/v1/webhooks", json=hook, headers=me)).status_code == 201
    await happen("resource", created(ADA))
    before = await rows_of(resources, ADA)
    assert {"notification_preferences", "live_frames", "live_positions", "digests", "digest_items"} <= before.keys()
    assert {"webhooks", "webhook_deliveries"} <= before.keys()
    gone = parsed(resources, "auth", UserDeleted(user_id=ADA, deleted_at=now()))
    await resources.inbox.apply([parsed(resources, "resource", created(ADA)), gone])
    assert await rows_of(resources, ADA) == {"erased_users": 1}


async def rows_of(resources, user_id: UUID) -> dict[str, int]:
    """How many rows of each table mention the user, but for the outbox, which tells auth."""
    found = {}
    async with resources.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            query = f"SELECT count(*) FROM {table.name} r WHERE to_jsonb(r)::text LIKE :user"  # noqa: S608
            count = await connection.scalar(text(query), {"user": f"%{user_id}%"})
            if count and table.name not in {"outbox", "idempotency_keys"}:
                found[table.name] = count
    return found
