"""How each provider stands."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import bindparam, func, select

from grove.core.clock import now
from grove.postgres.reads import Row, Statement
from grove_provider_sync.admin.schemas import AdminProviderRead, ConnectionStatus
from grove_provider_sync.connections.repository import failing_providers
from grove_provider_sync.models import Connection, ProviderState, SyncRun, TokenRevocation
from grove_provider_sync.resources import Resources

_CONNECTIONS = Statement(
    select(Connection.provider, Connection.status, func.count().label("count"))
    .where(Connection.erasing.is_(False))
    .group_by(Connection.provider, Connection.status)
)
_STATES = Statement(
    select(ProviderState.provider, ProviderState.token_version, ProviderState.revoked_at, ProviderState.revoked_by)
)
_REVOCATIONS = Statement(
    select(
        TokenRevocation.provider,
        func.count().label("waiting"),
        func.min(TokenRevocation.created_at).label("oldest"),
    ).group_by(TokenRevocation.provider)
)
_PUT_OFF = Statement(
    select(Connection.provider, func.count().label("count"))
    .join(SyncRun, SyncRun.connection_id == Connection.id)
    .where(SyncRun.status == "queued", SyncRun.not_before > bindparam("moment"))
    .group_by(Connection.provider)
)


async def overview(resources: Resources) -> list[AdminProviderRead]:
    """Every provider that is offered, has connections, or was revoked; by key."""
    reads, providers = resources.reads, resources.providers
    counts: defaultdict[str, dict[ConnectionStatus, int]] = defaultdict(dict)
    for row in await reads.all(_CONNECTIONS):
        counts[row.provider][row.status] = row.count
    failing = await failing_providers(reads)
    states, revocations = _by_provider(await reads.all(_STATES)), _by_provider(await reads.all(_REVOCATIONS))
    put_off = _by_provider(await reads.all(_PUT_OFF, moment=now()))
    offered = {provider.description.key for provider in providers.all()}
    keys = sorted(offered | set(counts) | set(states) | set(revocations))
    pauses = await asyncio.gather(*(providers.seconds_paused(key) for key in keys))
    moment, found = now(), []
    for key, seconds in zip(keys, pauses, strict=True):
        state, waiting, runs = states.get(key), revocations.get(key), put_off.get(key)
        found.append(
            AdminProviderRead(
                key=key,
                name=providers.describe(key).name,
                offered=key in offered,
                health="failing" if key in failing else "ok",
                connections=counts[key],
                token_version=state.token_version if state else 0,
                revoked_at=state.revoked_at if state else None,
                revoked_by=state.revoked_by if state else None,
                paused_until=moment + timedelta(seconds=seconds) if seconds > 0 else None,
                runs_put_off=runs.count if runs else 0,
                revocations_waiting=waiting.waiting if waiting else 0,
                oldest_revocation_at=waiting.oldest if waiting else None,
            )
        )
    return found


def _by_provider(rows: Sequence[Row]) -> dict[str, Row]:
    return {row.provider: row for row in rows}
