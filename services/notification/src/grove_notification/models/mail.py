"""The mails table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Integer, LargeBinary, SmallInteger, String, Text, column, text
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base

_WAITING = text("status = 'queued' AND kind IN ('notice', 'digest')")


class Mail(Base):
    """One mail on its way. Address and variables are sealed; they are dropped once the mail is sent.

    `kind`: `security` and `account` mails go out at once and without limit; a `notice` or a `digest` waits for quiet
    hours and limits, and can be unsubscribed from. `address_mac` finds an address without showing it; `masked` shows
    whose it is. `status`: queued, sent, failed (given up), bounced (the address does not take mails), suppressed (it
    would not have, or its reader wants none), expired (what it says held until `expires_at`). `resent_at`: an operator
    had it sent again, whatever was known of the address. `leased_until`: a sender has it in hand until then, and no
    other takes it. `sequence`: of the newest event about it.
    """

    __tablename__ = "mails"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None]
    kind: Mapped[str] = mapped_column(String(10))
    notification_type: Mapped[str | None] = mapped_column(String(40))
    template: Mapped[str] = mapped_column(String(40))
    locale: Mapped[str] = mapped_column(String(35))
    subject: Mapped[str | None] = mapped_column(String(300))
    masked: Mapped[str | None] = mapped_column(String(254))
    address_mac: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    due_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(500))
    sequence: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    bounced_at: Mapped[datetime | None]
    resent_at: Mapped[datetime | None]

    __table_args__ = (
        # what is due, by kind: a flood of notices is not looked through for a security mail
        Index("ix_mails_due", "kind", "due_at", "id", postgresql_where=text("status = 'queued'")),
        # what waits for one recipient, in its order: spread by their limit, moved or dropped by their choice
        Index("ix_mails_waiting", "user_id", "id", postgresql_where=_WAITING),
        # what was given up: counted by each health check, resent together
        Index("ix_mails_failed", "created_at", "id", postgresql_where=text("status = 'failed'")),
        # whether an address bounced
        Index("ix_mails_bounced", "address_mac", postgresql_where=text("status = 'bounced'")),
        # GET /emails, and whose they are when the account is erased
        Index("ix_mails_user_created", "user_id", column("created_at").desc(), column("id").desc()),
        # GET /admin/notification/emails, and the purge of old ones
        Index("ix_mails_created", column("created_at").desc(), column("id").desc()),
        # GET /admin/notification/emails?address=
        Index("ix_mails_address", "address_mac", postgresql_where=text("address_mac IS NOT NULL")),
    )
