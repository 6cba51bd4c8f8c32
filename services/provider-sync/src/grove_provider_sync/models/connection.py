"""The connections and authorizations tables."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, SmallInteger, String, Text, column, text
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Connection(Base):
    """A user's link to a provider. `sequence` counts its events.

    `sealed_tokens` opens only for this connection in its `token_version`, which rises with each grant; they are dead
    once the provider's own version (provider_states) is above `provider_version`. `refreshing_until`: somebody asks
    the provider for new tokens. `external_id`: the provider's name for it.

    `cursor` is where the next page begins, `loop_cursor` where the present walk through the pages began, to which it
    goes back when the data changed meanwhile. `whole_since`: the present walk reads everything anew; what it has not
    met by its end was removed. `news_at`: the provider told of news.

    `lease_until` and `leased_by`: who runs it. `warned_days`: the last warning that access ends. `erasing`: it was
    deleted, and a worker removes what it has; nobody sees that any more.
    """

    __tablename__ = "connections"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    provider: Mapped[str] = mapped_column(String(40))
    external_id: Mapped[str | None] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(20))
    status_detail: Mapped[str] = mapped_column(String(500))
    sealed_tokens: Mapped[str | None] = mapped_column(Text)
    token_version: Mapped[int] = mapped_column(Integer, server_default="0")
    provider_version: Mapped[int] = mapped_column(Integer, server_default="0")
    refreshing_until: Mapped[datetime | None]
    cursor: Mapped[str | None] = mapped_column(Text)
    loop_cursor: Mapped[str | None] = mapped_column(Text)
    whole_since: Mapped[datetime | None]
    news_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    last_synced_at: Mapped[datetime | None]
    next_sync_at: Mapped[datetime | None]
    reauth_by: Mapped[datetime | None]
    warned_days: Mapped[int | None] = mapped_column(SmallInteger)
    linked_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    leased_by: Mapped[UUID | None]
    erasing: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime]
    sequence: Mapped[int] = mapped_column(Integer, server_default="0")

    __table_args__ = (
        # GET /connections
        Index("ix_connections_user_created", "user_id", column("created_at").desc(), column("id").desc()),
        # connections that are due
        Index("ix_connections_due", "next_sync_at", postgresql_where=text("status IN ('active', 'error')")),
        # whom a webhook speaks of
        Index("ix_connections_external_id", "provider", "external_id"),
        # those that still hold tokens after all of a provider were revoked
        Index(
            "ix_connections_tokens", "provider", "provider_version", postgresql_where=text("sealed_tokens IS NOT NULL")
        ),
        # access that ends
        Index("ix_connections_reauth_by", "reauth_by", postgresql_where=text("status IN ('active', 'error')")),
        # what a worker has to remove
        Index("ix_connections_erasing", "id", postgresql_where=text("erasing")),
    )


class Authorization(Base):
    """One try to connect: what the callback must match. Good once, for some minutes.

    `sealed_secret`: what the adapter wants back. `claimed_until`: a callback is being finished.
    """

    __tablename__ = "authorizations"

    state_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    user_id: Mapped[UUID]
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_verifier: Mapped[str] = mapped_column(Text)
    sealed_secret: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[datetime | None]
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_authorizations_expires_at", "expires_at"),  # purge
        Index("ix_authorizations_connection_id", "connection_id"),  # the cascade from a connection
    )
