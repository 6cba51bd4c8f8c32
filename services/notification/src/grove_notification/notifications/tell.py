"""Telling a user of a fact, by the channels they chose, in the transaction that applies it."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.ids import new_id
from grove.messaging.handlers import Received
from grove_notification.digests import opening as digests
from grove_notification.live import stream
from grove_notification.live.push import LivePush
from grove_notification.live.stream import Frame
from grove_notification.mails.queue import Letter, MailQueue
from grove_notification.models import Notification
from grove_notification.notifications.schemas import NOTIFICATION, NotificationRead
from grove_notification.preferences.types import TYPES
from grove_notification.users.recipients import Recipient, recipient, settled
from grove_notification.webhooks.deliveries import queue as webhooks
from grove_notification.webhooks.deliveries.queue import WebhookQueue
from grove_notification.wording.wording import wording
from grove_notification.wording.words import Wording

MAIL_DIGEST = "mail"


class Teller:
    """Fans a fact out: a row and a live frame, a mail or an item of a digest, deliveries to webhooks."""

    def __init__(self, push: LivePush, mails: MailQueue, webhooks: WebhookQueue) -> None:
        self._push = push
        self._mails = mails
        self._webhooks = webhooks

    async def tell(self, session: AsyncSession, event: Received[Any], user_id: UUID) -> None:
        """Tell one user, if it is worth telling and they were not deleted."""
        moment = now()
        to = await recipient(session, user_id)
        if to is not None and _makes_wait(to, moment):
            to = await settled(session, user_id)
        if to is None:
            return
        words = wording(event.data, to.texts)
        self._webhook(session, event, to, words)
        if words is None:
            return
        channels = to.choice.channels(words.type)
        if channels.in_app:
            self._in_app(session, event, to, words, moment)
        if channels.email and not TYPES[words.type].mailed_by_auth and not to.blocked:
            await self._mail(session, event, to, words, moment)

    async def tell_webhooks(self, session: AsyncSession, event: Received[Any], user_id: UUID) -> None:
        """Tell a user's webhooks of what people need not read."""
        to = await recipient(session, user_id)
        if to is not None:
            self._webhook(session, event, to, wording(event.data, to.texts))

    def show(self, session: AsyncSession, event: Received[Any], frame: Frame) -> None:
        """Send a frame to the user's open connections, whatever they chose.

        The first event that shows something sends all frames of the transaction, at once.
        """
        stream.collect(session, frame)
        frames = stream.collected(session)
        if len(frames) == 1:
            event.after_commit.append(partial(self._send, frames))

    async def _send(self, frames: list[Frame]) -> None:
        await self._push.send(*frames)

    def _webhook(self, session: AsyncSession, event: Received[Any], to: Recipient, words: Wording | None) -> None:
        """Unless they switched the channel off for the type; a fact without one goes by the subscription alone."""
        if to.webhooks and not to.blocked and (words is None or to.choice.channels(words.type).webhook):
            self._webhooks.collect(session, event, to.user_id)

    def _in_app(
        self, session: AsyncSession, event: Received[Any], to: Recipient, words: Wording, moment: datetime
    ) -> None:
        """In the list at once, at its place by time; in quiet hours its frame waits for their end."""
        notification = Notification(
            id=new_id(),
            user_id=to.user_id,
            type=words.type,
            title=words.title,
            message=words.message,
            task_id=words.task_id,
            link=words.link,
            created_at=event.envelope.time,
            read_at=None,
            held_until=to.choice.quiet_until(moment, to.zone),
            version=1,
        )
        session.add(notification)
        if notification.held_until is None:
            self.show(session, event, frame_of(notification))
        else:
            self.show(session, event, Frame(to.user_id, stream.COUNT, {}))

    async def _mail(
        self, session: AsyncSession, event: Received[Any], to: Recipient, words: Wording, moment: datetime
    ) -> None:
        """Also of a fact that overtook auth's word of the account: it waits for the address."""
        due = None if TYPES[words.type].urgent else to.choice.digest_due(moment, to.zone)
        if due is not None:
            item = digests.Item(
                to.user_id, MAIL_DIGEST, words.type, words.title, words.message, words.link, event.envelope.time, due
            )
            digests.collect(session, item)
            return
        letter = Letter(
            template="notification",
            to=to.email,
            user_id=to.user_id,
            locale=to.locale,
            subject=words.title,
            notification_type=words.type,
            variables={"title": words.title, "message": words.message, "link": words.link},
            due_at=to.choice.quiet_until(moment, to.zone),
        )
        await self._mails.add(session, letter)
        event.after_commit.append(self._mails.wake)


def _makes_wait(to: Recipient, moment: datetime) -> bool:
    """Whether something that is told now may wait because of what they chose."""
    return to.choice.digest != "off" or to.choice.quiet_until(moment, to.zone) is not None


def frame_of(notification: Notification) -> Frame:
    """What open connections are sent of it."""
    data = NOTIFICATION.dump_python(NotificationRead.of(notification), mode="json")
    return Frame(notification.user_id, "notification", data)


async def write_collected(session: AsyncSession) -> None:
    """The end of a transaction that told things."""
    await digests.write(session)
    await webhooks.write(session)
    await stream.write(session)
