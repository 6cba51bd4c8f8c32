"""A blocked account: nothing leaves for it but mails about itself, and its list is whole when the block ends."""

import pytest
from sqlalchemy import select

from grove.contracts.auth import MailRequested, UserBlocked, UserDeleted, UserRegistered, UserUnblocked
from grove.contracts.resource import ActivityDeleted, TaskShared
from grove.core.clock import now
from grove.core.ids import new_id
from grove_notification.models import DigestItem, Mail, Notification, User, WebhookDelivery

pytestmark = pytest.mark.integration
ADA = new_id()


def shared() -> TaskShared:
    about = {"share_id": new_id(), "task_id": new_id(), "user_id": new_id(), "with_user_id": ADA}
    return TaskShared(**about, title="Plant", role="viewer", shared_at=now())


def deleted() -> ActivityDeleted:
    """A fact for webhooks only."""
    return ActivityDeleted(activity_id=new_id(), user_id=ADA, name="Run", deleted_at=now())


def blocked() -> UserBlocked:
    return UserBlocked(user_id=ADA, until=None, reason="taken over", blocked_at=now())


def unblocked() -> UserUnblocked:
    return UserUnblocked(user_id=ADA, unblocked_at=now())


@pytest.fixture
async def ada(client, issuer, happen):
    """Somebody with a webhook; what her requests say."""
    known = {"email": "ada@example.com", "name": "Ada", "locale": "en", "timezone": "UTC", "greet": False}
    await happen("auth", UserRegistered(user_id=ADA, roles=["user"], registered_at=now(), **known))
    headers = issuer.headers(ADA)
    hook = {"url": "https://hooks.example.com/in", "event_types": ["*"]}
    assert (await client.post("/api/v1/webhooks", json=hook, headers=headers)).status_code == 201
    return headers


@pytest.fixture
def all_of(resources):
    """A column of all rows."""

    async def all_of(column) -> list:
        async with resources.sessions() as session:
            return list(await session.scalars(select(column)))

    return all_of


async def test_only_the_list_is_written_while_an_account_is_blocked(ada, client, happen, all_of):
    await happen("auth", blocked(), sequence=2)
    await happen("resource", shared())
    await happen("resource", deleted())
    listed = await client.get("/api/v1/notifications", headers=ada)
    assert [each["type"] for each in listed.json()["items"]] == ["TASK_SHARED"]
    assert listed.headers["x-unread-count"] == "1"
    assert await all_of(Mail.id) == []
    assert await all_of(WebhookDelivery.event_type) == ["auth.user.blocked.v1"], "waits for the end"
    await happen("auth", unblocked(), sequence=3)
    await happen("resource", shared())
    await happen("resource", deleted())
    assert await all_of(Mail.notification_type) == ["TASK_SHARED"]
    assert sorted(await all_of(WebhookDelivery.event_type)) == [
        "auth.user.blocked.v1",
        "auth.user.unblocked.v1",
        "resource.activity.deleted.v1",
        "resource.task.shared.v1",
    ]
    assert len(await all_of(Notification.id)) == 2


async def test_a_blocked_account_collects_no_digest(ada, client, happen, all_of):
    daily = {"types": {}, "quiet_hours": None, "digest": {"frequency": "daily"}}
    assert (await client.put("/api/v1/notification-preferences", json=daily, headers=ada)).status_code == 200
    await happen("auth", blocked(), sequence=2)
    await happen("resource", shared())
    assert await all_of(DigestItem.id) == []


async def test_mails_about_the_account_are_written_all_the_same(ada, resources, happen, all_of):
    await happen("auth", blocked(), sequence=2)
    mail_id = new_id()
    sealed = resources.mail_cipher.seal('{"to": "ada@example.com", "variables": {}}', purpose=f"mail:{mail_id}")
    asked = MailRequested(mail_id=mail_id, user_id=ADA, template="already_registered", locale="en", sealed=sealed)
    await happen("auth", asked)
    assert await all_of(Mail.status) == ["queued"]


async def test_a_notice_that_waits_is_kept_until_the_block_ends(ada, resources, sender, happen):
    await happen("resource", shared())
    await happen("auth", blocked(), sequence=2)
    async with resources.sessions.begin() as session:
        mail = (await session.scalars(select(Mail))).one()
        assert await sender._admission.admit(session, mail) is None
        assert (mail.status, mail.attempts, mail.due_at > now()) == ("queued", 0, True)
    await happen("auth", unblocked(), sequence=3)
    async with resources.sessions.begin() as session:
        mail = (await session.scalars(select(Mail))).one()
        assert await sender._admission.admit(session, mail) == "ada@example.com"


@pytest.mark.parametrize("known", [True, False], ids=["a known account", "one that auth has not told of yet"])
async def test_the_newest_word_about_a_block_counts_in_whatever_order(happen, all_of, known):
    registered = {"email": "ada@example.com", "name": "Ada", "locale": "de", "timezone": "UTC", "greet": False}
    first = UserRegistered(user_id=ADA, roles=["user"], registered_at=now(), **registered)
    if known:
        await happen("auth", first, sequence=1)
    await happen("auth", unblocked(), sequence=4)
    await happen("auth", blocked(), sequence=3)
    assert await all_of(User.blocked) == [False]
    await happen("auth", blocked(), sequence=5)
    if not known:
        await happen("auth", first, sequence=1)
    assert (await all_of(User.blocked), await all_of(User.locale)) == ([True], ["de"])


async def test_a_late_block_of_a_deleted_account_is_passed_over(resources, happen, all_of):
    await happen("auth", UserDeleted(user_id=ADA, deleted_at=now()))
    await happen("auth", blocked(), sequence=2)
    assert await all_of(User.id) == []
