"""Webhooks and their deliveries."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, Index, Integer, SmallInteger, String, Text, column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base

_PENDING = text("status = 'pending'")
_FAILED = text("status = 'failed'")


class Webhook(Base):
    """An endpoint of a user. `secrets` is sealed; `version` is the ETag; `failing_since` decides when it is disabled.

    `ordered`: its deliveries go out one after another, each when the one before has ended. `public_key` is that of the
    newest secret, where that is one half of a pair. `slow_until`: it took long lately, and may not hold up others.
    `resume_at`: it wants nothing before that. `proven`: it has taken something; until then it gets one at a time.
    `due_at`: nothing of its deliveries is due before that; null: nothing waits. `tried_at`: when it was called last.
    """

    __tablename__ = "webhooks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(index=True)
    url: Mapped[str] = mapped_column(String(2000))
    event_types: Mapped[list[str]] = mapped_column(JSONB)
    description: Mapped[str] = mapped_column(String(500))
    signature: Mapped[str] = mapped_column(String(3))
    ordered: Mapped[bool] = mapped_column(Boolean)
    secrets: Mapped[str] = mapped_column(Text)
    public_key: Mapped[str | None] = mapped_column(String(60))
    status: Mapped[str] = mapped_column(String(10))
    disabled_reason: Mapped[str | None] = mapped_column(String(300))
    failing_since: Mapped[datetime | None]
    slow_until: Mapped[datetime | None]
    resume_at: Mapped[datetime | None]
    proven: Mapped[bool] = mapped_column(Boolean)
    due_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        # whose turn it is
        Index("ix_webhooks_due", "due_at", postgresql_where=text("due_at IS NOT NULL AND status = 'active'")),
    )


class WebhookDelivery(Base):
    """One event on its way to one endpoint, or told. `body` is what is signed, byte for byte. `message_id` is the
    `webhook-id` of each try: one for a user and an event, so that whoever receives for several users loses none.

    `leased_until`: a worker is sending it; `next_attempt_at` is the same then, so that it is due again by itself when
    the worker died. `tries`: the newest ones (TryRead); `attempts` counts those since it was queued.
    """

    __tablename__ = "webhook_deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    user_id: Mapped[UUID]
    event_id: Mapped[UUID]
    message_id: Mapped[UUID]
    event_type: Mapped[str] = mapped_column(String(100))
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(SmallInteger)
    next_attempt_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    response_status: Mapped[int | None] = mapped_column(SmallInteger)
    response_excerpt: Mapped[str | None] = mapped_column(String(1000))
    last_error: Mapped[str | None] = mapped_column(String(300))
    tries: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        # what is due, endpoint by endpoint
        Index("ix_webhook_deliveries_due", "webhook_id", "next_attempt_at", postgresql_where=_PENDING),
        # the next one of an endpoint that wants them in order
        Index("ix_webhook_deliveries_order", "webhook_id", "event_id", postgresql_where=_PENDING),
        # what is under way at an endpoint
        Index("ix_webhook_deliveries_leased", "webhook_id", postgresql_where=text("leased_until IS NOT NULL")),
        # the list of an endpoint's deliveries
        Index("ix_webhook_deliveries_webhook", "webhook_id", column("created_at").desc(), column("id").desc()),
        # one of them, by the only id that its receiver knows
        Index("ix_webhook_deliveries_message", "webhook_id", "message_id"),
        # those of them that failed, however many did not
        Index("ix_webhook_deliveries_failed", "webhook_id", "created_at", "id", postgresql_where=_FAILED),
        # whose they are, when the account is erased
        Index("ix_webhook_deliveries_user", "user_id"),
        # for the purge of old ones
        Index("ix_webhook_deliveries_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    )
