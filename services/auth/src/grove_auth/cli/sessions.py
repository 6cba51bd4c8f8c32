"""`grove auth sessions …`"""

import typer
from rich import print as show
from rich.markup import escape
from rich.table import Table

from grove_auth.cli.running import Account, account, operate, time
from grove_auth.models import Session
from grove_auth.resources import Resources
from grove_auth.sessions.service import SessionService

commands = typer.Typer(help="Sessions.", no_args_is_help=True)


@commands.callback()
def sessions() -> None:
    """Sessions."""


@commands.command("list")
def list_sessions(user: Account) -> None:
    """List the living sessions of an account, newest first."""

    async def read(resources: Resources) -> list[Session]:
        return await SessionService(resources).of_user((await account(user)).id)

    table = Table("id", "device", "from", "since", "last active", "ends")
    for session in operate(read):
        when = (time(session.created_at), time(session.last_active_at), time(session.expires_at))
        table.add_row(*map(escape, (session.id, session.device_name, session.ip, *when)))
    show(table)
