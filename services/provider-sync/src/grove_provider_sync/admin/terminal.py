"""What `grove providers …` does: it works on the store directly, with the service's own settings."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

import typer
from pydantic import ValidationError
from rich import print as show
from rich.markup import escape
from rich.table import Table
from sqlalchemy import select

from grove.core.context import RequestContext, use_context
from grove.core.errors import GroveError
from grove.core.ids import new_id
from grove.core.settings import load
from grove.postgres.engine import STORE_ERRORS
from grove_provider_sync.admin.listing import CONNECTIONS, AdminConnectionQuery
from grove_provider_sync.admin.overview import overview
from grove_provider_sync.admin.schemas import AdminProviderRead, ConnectionStatus, Revocation
from grove_provider_sync.admin.service import RevocationService
from grove_provider_sync.models import TokenAudit
from grove_provider_sync.providers.registry import load_adapters
from grove_provider_sync.resources import Resources
from grove_provider_sync.settings import ProviderSyncSettings
from grove_provider_sync.tokens.verification import TokenChainBroken
from grove_provider_sync.tokens.verification import verify as verify_chains

T = TypeVar("T")


def list_providers() -> None:
    """List the providers, with how their connections stand and what waits for them."""
    table = Table("key", "offered", "health", "connections", "token version", "revoked", "paused until", "to give back")
    for each in _operate(overview):
        version = (str(each.token_version), _time(each.revoked_at), _time(each.paused_until))
        offered = "yes" if each.offered else "no"
        table.add_row(*map(escape, (each.key, offered, each.health, _counts(each), *version, _waiting(each))))
    show(table)


def list_connections(provider: str | None, status: str | None, user: UUID | None, cursor: str) -> None:
    """List connections, newest first, a hundred at a time."""

    async def read(resources: Resources) -> tuple[list[dict[str, Any]], str | None]:
        wanted = AdminConnectionQuery(
            provider=provider, status=cast("ConnectionStatus | None", status), user_id=user, size=100, cursor=cursor
        )
        items, following = await CONNECTIONS.walk(resources.reads, wanted, wanted.given)
        return json.loads(f"[{items or ''}]"), following

    found, following = _operate(read)
    table = Table("provider", "status", "how it stands", "last synced", "since")
    for name in ("user", "id"):
        table.add_column(name, no_wrap=True, overflow="fold")  # they are copied
    for each in found:
        stands = (each["provider"], each["status"], each["status_detail"], each["last_synced_at"] or "")
        table.add_row(*map(escape, (*stands, each["created_at"], each["user_id"], each["id"])))
    show(table)
    if following is not None:
        print(f"More: --cursor {following}")  # noqa: T201 - not wrapped


def revoke_all(provider: str, reason: str) -> None:
    """End all access to a provider after a breach. Its users have to reconnect."""

    async def change(resources: Resources) -> int:
        told = Revocation(reason=reason)
        async with resources.sessions.begin() as session:
            return await RevocationService(resources, session, None).revoke_all(provider, told.reason)

    concerned = _operate(change)
    of = "one connection" if concerned == 1 else f"{concerned} connections"
    show(f"[green]Ended[/green] the access of {of} to {escape(provider)}.")
    show("The workers take the tokens away now and tell the users; `grove providers list` shows what is left.")


def revoke(connection: UUID, reason: str) -> None:
    """End the access of one connection. Its user has to reconnect."""

    async def change(resources: Resources) -> None:
        told = Revocation(reason=reason)
        async with resources.sessions.begin() as session:
            await RevocationService(resources, session, None).revoke(connection, told.reason)

    _operate(change)
    show(f"[green]Ended[/green] the access of connection {connection}.")


def verify(connection: UUID | None) -> None:
    """Look whether the audit is as it was written. Exit code 1 when it is not."""

    async def check(resources: Resources) -> int:
        return await verify_chains(resources.reads, connection)

    try:
        entries = _operate(check)
    except TokenChainBroken as broken:
        show(f"[red]The audit was tampered with:[/red] {broken}")
        raise typer.Exit(1) from None
    show(f"[green]The audit is whole.[/green] {entries} entries.")


def show_audit(connection: UUID, last: int) -> None:
    """Show what happened to the tokens of a connection, oldest first."""

    async def read(resources: Resources) -> list[TokenAudit]:
        newest = select(TokenAudit).where(TokenAudit.connection_id == connection)
        async with resources.sessions() as session:
            found = await session.scalars(newest.order_by(TokenAudit.position.desc()).limit(last))
            return list(found)[::-1]

    table = Table("#", "when", "what", "outcome", "by", "detail")
    for each in _operate(read):
        entry = cast("dict[str, Any]", each.entry)
        detail = ", ".join(f"{name}: {value}" for name, value in entry["detail"].items() if name != "provider")
        known = (each.action, entry["outcome"], entry["actor_id"] or "", detail)
        table.add_row(*map(escape, (str(each.position), _time(each.at), *known)))
    show(table)


def _operate(work: Callable[[Resources], Awaitable[T]]) -> T:
    """Run `work` on the store. Exits with 1 and a sentence when it fails."""
    settings = load(ProviderSyncSettings)
    try:
        return asyncio.run(_with_resources(settings, work))
    except GroveError as error:
        show(f"[red]Not done:[/red] {escape(error.message)}")
    except ValidationError as error:
        for problem in error.errors():
            show(f"[red]Not done:[/red] {'.'.join(map(str, problem['loc']))}: {escape(problem['msg'])}")
    except STORE_ERRORS as error:
        address = f"{settings.database_host}:{settings.database_port}"
        show(f"[red]Not done:[/red] the database at {address} does not answer.\n  {type(error).__name__}")
    raise typer.Exit(1)


async def _with_resources(settings: ProviderSyncSettings, work: Callable[[Resources], Awaitable[T]]) -> T:
    resources = Resources(settings, load_adapters(settings))
    try:
        with use_context(RequestContext(request_id=str(new_id()), route="grove providers")):
            return await work(resources)
    finally:
        await resources.aclose()


def _counts(provider: AdminProviderRead) -> str:
    return ", ".join(f"{status} {count}" for status, count in sorted(provider.connections.items()))


def _waiting(provider: AdminProviderRead) -> str:
    if not provider.revocations_waiting:
        return ""
    return f"{provider.revocations_waiting}, the oldest since {_time(provider.oldest_revocation_at)}"


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""
