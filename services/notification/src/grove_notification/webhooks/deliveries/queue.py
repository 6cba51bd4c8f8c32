"""Queueing deliveries: facts are collected in a transaction, and written as rows at its end, for all users together."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from grove.core.clock import now
from grove.core.ids import new_id
from grove.messaging.handlers import Received
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.deliveries import payload, turns
from grove_notification.webhooks.event_types import EVENT_TYPES, subscribed

_FACTS = "webhook_facts"


class WebhookQueue:
    """`due` is set when the sender of this process should look at once."""

    def __init__(self) -> None:
        self.due = asyncio.Event()

    def collect(self, session: AsyncSession, event: Received[Any], user_id: UUID) -> None:
        """Have `write` queue a fact for the user's webhooks. Costs users without webhooks one query a transaction,
        however many they are.
        """
        if event.envelope.type in EVENT_TYPES:
            facts: list[_Fact] = session.info.setdefault(_FACTS, [])
            facts.append(_Fact(user_id, event, self))

    async def wake(self) -> None:
        """Have the sender look for due deliveries now."""
        self.due.set()


@dataclass(frozen=True, slots=True)
class _Fact:
    user_id: UUID
    event: Received[Any]
    queue: WebhookQueue


async def write(session: AsyncSession) -> None:
    """A row for each collected fact and active webhook that subscribed to it."""
    facts: list[_Fact] = session.info.pop(_FACTS, [])
    if not facts:
        return
    connection = await session.connection()
    webhooks = await _active(connection, {fact.user_id for fact in facts})
    moment = now()
    rows: list[dict[str, Any]] = []
    for fact in facts:
        event_type = fact.event.envelope.type
        subscribers = [each.id for each in webhooks.get(fact.user_id, ()) if subscribed(each.event_types, event_type)]
        if subscribers:
            rows += _rows(fact, subscribers, moment)
            fact.event.after_commit.append(fact.queue.wake)
    if rows:
        await _lower(connection, webhooks, rows, moment)
        await connection.execute(insert(WebhookDelivery), rows)


@dataclass(frozen=True, slots=True)
class _Subscriber:
    id: UUID
    event_types: list[str]
    due_at: datetime | None


async def _active(connection: AsyncConnection, users: set[UUID]) -> dict[UUID, list[_Subscriber]]:
    """Each user's webhooks, held so that none is deleted or settled (turns.py) before its new rows are committed."""
    held = (
        select(Webhook.user_id, Webhook.id, Webhook.event_types, Webhook.due_at)
        .where(Webhook.user_id.in_(users), Webhook.status == "active")
        .order_by(Webhook.id)
        .with_for_update(read=True, key_share=True)
    )
    found: dict[UUID, list[_Subscriber]] = {}
    for row in await connection.execute(held):
        found.setdefault(row.user_id, []).append(_Subscriber(row.id, row.event_types, row.due_at))
    return found


async def _lower(
    connection: AsyncConnection,
    webhooks: dict[UUID, list[_Subscriber]],
    rows: list[dict[str, Any]],
    moment: datetime,
) -> None:
    """The rows are due at that moment. A webhook for which more is due already is not written, nor waited for."""
    told = {row["webhook_id"] for row in rows}
    later = [
        each.id
        for of_user in webhooks.values()
        for each in of_user
        if each.id in told and (each.due_at is None or each.due_at > moment)
    ]
    if later:
        await turns.lower(connection, later, moment, event_id=min(row["event_id"] for row in rows))


def _rows(fact: _Fact, webhooks: list[UUID], moment: datetime) -> list[dict[str, Any]]:
    envelope = fact.event.envelope
    body = payload.of_fact(fact.event)
    return [
        {
            "id": new_id(),
            "webhook_id": webhook_id,
            "user_id": fact.user_id,
            "event_id": envelope.id,
            "message_id": payload.message_id(envelope.id, fact.user_id),
            "event_type": envelope.type,
            "body": body,
            "status": "pending",
            "attempts": 0,
            "next_attempt_at": moment,
            "created_at": moment,
        }
        for webhook_id in webhooks
    ]
