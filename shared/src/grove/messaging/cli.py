"""`grove config …`."""

import typer

commands = typer.Typer(help="Settings.", no_args_is_help=True)


@commands.command("key")
def key() -> None:
    """Print a new key for a key ring."""
