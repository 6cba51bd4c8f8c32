"""`grove providers …`: works on the store of provider-sync directly, with the service's own settings.

What the commands do is imported when one is run: other commands of `grove` need neither this service nor its models.
"""

from typing import Annotated
from uuid import UUID

import typer

Reason = Annotated[str, typer.Option(help="Why; it is kept in the log", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask")]
ConnectionId = Annotated[UUID, typer.Argument(help="Id of the connection", show_default=False)]

commands = typer.Typer(
    help="Providers, connections and their tokens. Works on the database of provider-sync directly.",
    no_args_is_help=True,
)
audit = typer.Typer(help="The audit of tokens.", no_args_is_help=True)
commands.add_typer(audit, name="audit")


@commands.command("list")
def list_providers() -> None:
    """List the providers, with how their connections stand and what waits for them."""
    from grove_provider_sync.admin import terminal  # noqa: PLC0415

    terminal.list_providers()


@commands.command("connections")
def list_connections(
    provider: Annotated[str | None, typer.Option(help="Only to this provider")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only these: pending, active, needs_reauth, error, revoked")
    ] = None,
    user: Annotated[UUID | None, typer.Option(help="Only of this user")] = None,
    cursor: Annotated[str, typer.Option(help="Where the page before ended")] = "",
) -> None:
    """List connections, newest first, a hundred at a time."""
    from grove_provider_sync.admin import terminal  # noqa: PLC0415

    terminal.list_connections(provider, status, user, cursor)


@commands.command("revoke-all")
def revoke_all(
    provider: Annotated[str, typer.Argument(help="Key of the provider", show_default=False)],
    reason: Reason,
    yes: Yes = False,
) -> None:
    """End all access to a provider after a breach. Its users have to reconnect."""
    _confirm(f"End the access of every connection to {provider}? Each user has to reconnect.", yes)
    from grove_provider_sync.admin import terminal  # noqa: PLC0415

    terminal.revoke_all(provider, reason)


@commands.command("revoke")
def revoke(connection: ConnectionId, reason: Reason, yes: Yes = False) -> None:
    """End the access of one connection. Its user has to reconnect."""
    _confirm(f"End the access of connection {connection}?", yes)
    from grove_provider_sync.admin import terminal  # noqa: PLC0415

    terminal.revoke(connection, reason)


@audit.command("verify")
def verify(
    connection: Annotated[UUID | None, typer.Argument(help="Only of this connection", show_default=False)] = None,
) -> None:
    """Look whether the audit is as it was written. Exit code 1 when it is not."""
    from grove_provider_sync.admin import terminal  # noqa: PLC0415

    terminal.verify(connection)


@audit.command("show")
def show_audit(
    connection: ConnectionId,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest entries")] = 50,
) -> None:
    """Show what happened to the tokens of a connection, oldest first."""
    from grove_provider_sync.admin import terminal  # noqa: PLC0415

    terminal.show_audit(connection, last)


def _confirm(question: str, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True)
