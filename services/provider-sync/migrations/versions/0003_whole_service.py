"""token versions, revocations and audit; walks that begin anew; balances; pauses of runs

Revision: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
LIVE = sa.text("status IN ('active', 'error')")
OPEN = sa.text("status IN ('queued', 'running')")


def _added() -> dict[str, tuple[sa.Column[Any], ...]]:
    """New columns of tables that there are."""
    return {
        "connections": (
            sa.Column("external_id", sa.String(length=200), nullable=True),
            sa.Column("token_version", sa.Integer(), server_default="0", nullable=False),
            sa.Column("provider_version", sa.Integer(), server_default="0", nullable=False),
            sa.Column("refreshing_until", TIME, nullable=True),
            sa.Column("loop_cursor", sa.Text(), nullable=True),
            sa.Column("whole_since", TIME, nullable=True),
            sa.Column("news_at", TIME, nullable=True),
            sa.Column("warned_days", sa.SmallInteger(), nullable=True),
            sa.Column("linked_at", TIME, nullable=True),
            sa.Column("leased_by", sa.Uuid(), nullable=True),
            sa.Column("erasing", sa.Boolean(), server_default="false", nullable=False),
        ),
        "authorizations": (
            sa.Column("sealed_secret", sa.Text(), nullable=True),
            sa.Column("claimed_until", TIME, nullable=True),
        ),
        "accounts": (sa.Column("closed_at", TIME, nullable=True),),
        "transactions": (
            sa.Column("pending_provider_id", sa.String(length=200), nullable=True),
            sa.Column("seen_at", TIME, nullable=True),
        ),
        "sync_runs": (
            sa.Column("not_before", TIME, nullable=True),
            sa.Column("pages", sa.Integer(), server_default="0", nullable=False),
            sa.Column("restarts", sa.SmallInteger(), server_default="0", nullable=False),
            sa.Column("error_code", sa.String(length=40), nullable=True),
        ),
    }


def upgrade() -> None:
    """What a whole service needs."""
    for table, columns in _added().items():
        for column in columns:
            op.add_column(table, column)
    op.execute("UPDATE connections SET linked_at = created_at WHERE sealed_tokens IS NOT NULL")
    op.execute("UPDATE connections SET loop_cursor = cursor")
    op.create_index("ix_connections_external_id", "connections", ["provider", "external_id"])
    op.create_index("ix_connections_reauth_by", "connections", ["reauth_by"], postgresql_where=LIVE)
    op.create_index("ix_connections_erasing", "connections", ["id"], postgresql_where=sa.text("erasing"))
    op.create_index(
        "ix_connections_tokens",
        "connections",
        ["provider", "provider_version"],
        postgresql_where=sa.text("sealed_tokens IS NOT NULL"),
    )
    op.drop_index("ix_transactions_search", "transactions")
    op.create_index(
        "ix_sync_runs_finished_at",
        "sync_runs",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index("ix_sync_runs_open", "sync_runs", ["created_at"], postgresql_where=OPEN)
    op.create_table(
        "provider_states",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("revoked_at", TIME, nullable=False),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("provider", name="pk_provider_states"),
    )
    op.create_table(
        "token_revocations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("sealed_tokens", sa.Text(), nullable=False),
        sa.Column("erases", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=False),
        sa.Column("give_up_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_token_revocations"),
    )
    op.create_index("ix_token_revocations_next_attempt_at", "token_revocations", ["next_attempt_at"])
    op.create_index("ix_token_revocations_user", "token_revocations", ["user_id"])
    op.create_table(
        "token_audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("entry", postgresql.JSONB(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_token_audit"),
        sa.UniqueConstraint("connection_id", "position", name="uq_token_audit_position"),
    )
    op.create_index("ix_token_audit_provider_at", "token_audit", ["provider", "at"])
    op.execute(
        "CREATE FUNCTION token_audit_stays() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'token_audit is only added to'; END $$"
    )
    op.execute(
        "CREATE TRIGGER token_audit_stays BEFORE UPDATE OR DELETE ON token_audit "
        "FOR EACH ROW EXECUTE FUNCTION token_audit_stays()"
    )
    op.create_table(
        "balances",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("balance", sa.Numeric(precision=20, scale=4), nullable=True),
        sa.Column("available", sa.Numeric(precision=20, scale=4), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_balances_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "day", name="pk_balances"),
    )


def downgrade() -> None:
    """Back to before."""
    for table in ("balances", "token_audit", "token_revocations", "provider_states"):
        op.drop_table(table)
    op.execute("DROP FUNCTION token_audit_stays")
    op.drop_index("ix_sync_runs_open", "sync_runs")
    op.drop_index("ix_sync_runs_finished_at", "sync_runs")
    op.create_index("ix_transactions_search", "transactions", ["search"], postgresql_using="gin")
    op.drop_index("ix_connections_tokens", "connections")
    for index in ("ix_connections_erasing", "ix_connections_reauth_by", "ix_connections_external_id"):
        op.drop_index(index, "connections")
    for table, columns in _added().items():
        for column in reversed(columns):
            op.drop_column(table, column.name)
