"""`grove auth tokens …`"""

import typer
from rich import print as show

from grove_auth.cli.running import Yes, confirm, operate
from grove_auth.resources import Resources
from grove_auth.token_versions.service import TokenVersionService

commands = typer.Typer(help="All tokens at once.", no_args_is_help=True)


@commands.callback()
def tokens() -> None:
    """All tokens at once."""


@commands.command("raise-version")
def raise_version(yes: Yes = False) -> None:
    """Sign everybody out after a breach: every token, session and API key dies within a second."""
    confirm("End every session, token and API key of every account?", yes)

    async def increase(resources: Resources) -> int:
        return await TokenVersionService(resources).increase()

    show(f"[green]Raised[/green] the global token version to {operate(increase)}; everybody has to sign in again.")
