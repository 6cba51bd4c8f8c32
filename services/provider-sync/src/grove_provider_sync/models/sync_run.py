"""The sync_runs table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, SmallInteger, String, column, text
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class SyncRun(Base):
    """One run of a connection: queued, running, completed, failed.

    `not_before`: the provider asked for a pause, or its budget is spent. `restarts`: how often it began its pages anew.
    """

    __tablename__ = "sync_runs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    user_id: Mapped[UUID]
    trigger: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]
    handed_over_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    added: Mapped[int] = mapped_column(Integer, server_default="0")
    changed: Mapped[int] = mapped_column(Integer, server_default="0")
    removed: Mapped[int] = mapped_column(Integer, server_default="0")
    pages: Mapped[int] = mapped_column(Integer, server_default="0")
    restarts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    error: Mapped[str | None] = mapped_column(String(500))
    error_code: Mapped[str | None] = mapped_column(String(40))

    __table_args__ = (
        # the runs of a connection, GET /connections/{id}/sync-runs
        Index(
            "ix_sync_runs_connection_created",
            "connection_id",
            column("created_at").desc(),
            column("id").desc(),
        ),
        # how providers stood lately
        Index("ix_sync_runs_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        # open runs, in the order in which they are handed over
        Index("ix_sync_runs_open", "created_at", postgresql_where=text("status IN ('queued', 'running')")),
        # one run of a connection at a time
        Index(
            "uq_sync_runs_open",
            "connection_id",
            unique=True,
            postgresql_where=text("status IN ('queued', 'running')"),
        ),
    )
