"""What was read long ago is forgotten; what is unread never is."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.ids import new_id
from grove_notification.models import Notification
from grove_notification.notifications import retention
from grove_notification.notifications.retention import Retention

pytestmark = pytest.mark.integration


async def test_only_what_was_read_long_ago_goes(resources, happen, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    titles = ["read long ago"] * 5 + ["read lately", "unread"]
    for title in titles:
        await happen("resource", TaskCreated(task_id=new_id(), user_id=new_id(), title=title, created_at=now()))
    async with resources.sessions.begin() as session:
        for title, days in (("read long ago", 31), ("read lately", 29)):
            told = Notification.message.contains(title)
            moment = now() - timedelta(days=days)
            await session.execute(update(Notification).where(told).values(read_at=moment, created_at=moment))
    assert await Retention(resources.sessions, days=30).purge() == 5
    async with resources.sessions() as session:
        left = (await session.scalars(select(Notification.message).order_by(Notification.id))).all()
    assert left == ["“read lately” was created.", "“unread” was created."]
